"""Cues of preference pairs: a planted one is found and named, clean pairs give nothing away."""

from __future__ import annotations

import random

import numpy as np
import pytest
from assay_reporter.diagnosis.giveaways import auc, fitted, giveaways_of, source_columns
from assay_reporter.diagnosis.surface import NAMES, surface

WORDS = ["apples", "pears", "plums", "figs", "carrots", "onions", "beans", "maize", "rice", "oats", "barley", "rye"]


def answer(chance: random.Random) -> str:
    return f"{' '.join(chance.choices(WORDS, k=chance.randint(6, 14)))}."


def pairs(count: int = 400, dress=lambda chosen, rejected, _: (chosen, rejected), **columns) -> list[dict]:
    chance = random.Random(5)
    rows = []
    for number in range(count):
        chosen, rejected = dress(answer(chance), answer(chance), chance)
        extra = {name: value(chance) for name, value in columns.items()}
        rows.append({"prompt": f"question {number}", "chosen": chosen, "rejected": rejected, **extra})
    return rows


def cue(rows, name):
    return next(one for one in giveaways_of(rows).cues if one.name == name)


def test_clean_pairs_give_nothing_away():
    for one in giveaways_of(pairs()).cues:
        assert one.interval[0] < 0.55
        assert 0.4 < one.auc < 0.6


def test_pleasantries_and_odd_bullets_of_one_side_are_found_and_named():
    found = cue(pairs(dress=lambda chosen, rejected, _: (f"-  {chosen}", f"Sure! {rejected}")), "format")
    assert found.auc > 0.95
    assert {("opening pleasantry", "rejected"), ("odd spacing after bullets", "chosen")} & set(found.strongest)


def test_one_word_more_on_every_chosen_side_gives_it_away():
    found = cue(pairs(dress=lambda _, rejected, __: (f"and {rejected}", rejected)), "length")
    assert found.auc > 0.95
    assert found.strongest == (("words", "chosen"),)


def test_a_source_that_always_loses_is_found_with_its_rate():
    rows = pairs(chosen_source=lambda chance: chance.choice(["new", "old"]), rejected_source=lambda _: "old")
    found = giveaways_of(rows)
    assert cue(rows, "source").auc > 0.7
    won, there = found.chosen_rates["source old"]
    assert won == 0
    assert there == sum(row["chosen_source"] == "new" for row in rows)


def test_sources_are_columns_that_both_sides_have():
    assert source_columns([{"chosen": "", "chosen_model": "a", "rejected_model": "b", "chosen_note": "x"}]) == ["model"]


def test_few_pairs_say_nothing():
    assert giveaways_of(pairs(49)) is None
    assert giveaways_of([{"prompt": "x", "completion": "y"}] * 100) is None


def test_the_area_is_that_of_the_ranks():
    assert auc(np.array([3.0, 4.0]), ["a", "b"])[0] == 1.0
    assert auc(np.array([0.0, 0.0]), ["a", "b"]) == (0.5, 0.0)
    # Chosen 3 and -1, rejected -3 and 1: placements 1 and 1/2.
    assert auc(np.array([3.0, -1.0]), ["a", "b"]) == (0.75, pytest.approx((2 * (0.5**2 + 0.5**2)) ** 0.5 / 2))


@pytest.mark.parametrize("pairs_a_prompt", [1, 4])
def test_the_error_of_the_area_is_how_far_it_varies(pairs_a_prompt):
    chance = np.random.default_rng(3)
    prompts = 240 // pairs_a_prompt
    groups = [str(number // pairs_a_prompt) for number in range(240)]
    found = []
    for _ in range(300):
        shared = np.repeat(chance.normal(0, 1, prompts), pairs_a_prompt) if pairs_a_prompt > 1 else 0.0
        found.append(auc(chance.normal(0.3, 1, 240) + shared, groups))
    areas, errors = np.array(found).T
    assert errors.mean() == pytest.approx(areas.std(ddof=1), rel=0.15)


def test_pairs_of_one_prompt_alone_have_no_error_to_speak_of():
    assert auc(np.array([1.0, 2.0, -1.0]), ["a", "a", "a"])[1] == float("inf")


def test_weights_stand_still_where_the_penalised_likelihood_is_highest():
    differences = np.random.default_rng(0).normal(0.3, 1, size=(200, 2))
    weights = fitted(differences)
    slope = differences.T @ (1 / (1 + np.exp(differences @ weights))) - weights
    assert np.abs(slope).max() < 1e-6


@pytest.mark.parametrize(
    ("text", "bullets", "odd"),
    [
        ("- one\n- two", 2, 0),
        ("1. one\n2) two", 2, 0),
        ("-  one\n-two", 2, 2),
        ("so it is\n 200.", 0, 0),
        ("in the year\n1999. Then", 0, 0),
        ("-5 is below\n3.5", 0, 0),
        ("---\n**bold** word", 0, 0),
        ("- 5 apples", 1, 0),
    ],
)
def test_bullets_are_marks_with_something_behind_them(text, bullets, odd):
    counts = dict(zip(NAMES, np.expm1(surface([text]))[0].round(), strict=True))
    assert (counts["bullets"], counts["odd spacing after bullets"]) == (bullets, odd)

"""Health of training, nearest rows, marked differences, kinds of items, energy."""

from __future__ import annotations

import pyarrow as pa
import pytest
from assay_reporter.diagnosis.columns import Column
from assay_reporter.diagnosis.contamination import Wanted, question_of
from assay_reporter.diagnosis.decomposition import Decomposition, decompose
from assay_reporter.diagnosis.health import edges, signs
from assay_reporter.diagnosis.neighbours import Neighbours
from assay_reporter.diagnosis.rows import words_of
from assay_reporter.diagnosis.strata import categories, prompt_lengths
from assay_reporter.energy import energy_of, in_words, source_of
from assay_reporter.sections.flips import marked
from assay_reporter.sections.why import FEW_FLIPS, _said
from assay_schemas.jobs import Usage


def run(**ends: tuple[float, float]) -> list[dict]:
    """Ten steps on which each value goes straight from its first to its last."""
    return [
        {"step": step, "metrics": {name: a + (b - a) * step / 9 for name, (a, b) in ends.items()}} for step in range(10)
    ]


HEALTHY = {"reward": (0.2, 0.6), "completion_length": (40, 45), "truncated_share": (0.0, 0.01), "kl": (0.0, 0.05)}


@pytest.mark.parametrize(
    ("change", "fell_on", "word"),
    [
        ({}, ["numeric"], "reward hacking"),
        ({"completion_length": (40, 120)}, [], "reward hacking by length"),
        ({"truncated_share": (0.0, 0.5)}, [], "cut at the token limit"),
        ({"kl": (0.0, 3.0)}, [], "far from the base model"),
        ({"entropy": (1.0, 0.01)}, [], "entropy fell"),
        ({"entropy": (0.19, 0.09), "reward": (0.4, 0.35)}, [], "narrows without learning"),
    ],
)
def test_signs_of_trouble_are_said(change, fell_on, word):
    said = list(signs([run(**{**HEALTHY, **change})] * 2, fell_on))
    assert len(said) == 1
    assert word in said[0]


def test_a_healthy_run_says_nothing():
    assert list(signs([run(**HEALTHY, entropy=(1.0, 0.6))], [])) == []
    assert list(signs([[{"step": step, "loss": 1 / (1 + step)} for step in range(10)]], [])) == []
    assert edges([{"step": 1, "loss": 2.0}], "loss") is None


def test_the_nearest_row_is_the_one_with_the_same_rare_words():
    rows = [{"prompt": f"How many figs has Ann in basket {n}?", "completion": "4"} for n in range(50)]
    rows.append({"prompt": "Bo sells quinces at the harbour", "completion": "9"})
    asked = "How many quinces are left at the harbour?"
    words = [words_of(row) for row in rows]
    (near,) = Neighbours(rows, words, [asked]).nearest(asked)
    assert near.row == 50
    assert 0 < near.likeness <= 1
    assert Neighbours(rows, words, ["zebra"]).nearest("zebra") == []


def test_what_control_does_not_say_is_marked():
    parts = marked("5*3=15 #### 15", "5*3=12 #### 12")
    assert "".join(part.text for part in parts) == "5*3=12 #### 12"
    assert [part.text.strip() for part in parts if part.changed] == ["12", "12"]
    assert marked("same", "same") == []
    assert marked("alpha beta", "something else altogether here") == []


@pytest.mark.parametrize("most_flips", [1, 7, 40, 1000])
def test_the_causes_of_a_part_of_the_flips_add_up_to_the_whole_difference(most_flips):
    """Losses cluster at the end, so that an even part of all flips would tell another difference."""
    right = [number % 3 > 0 for number in range(90)]
    ours = [number >= 30 and number % 5 > 0 for number in range(90)]
    control, arm = (
        Column(pa.table({
            "item_id": [f"i{number}" for number in range(90)], "sample_index": [0] * 90, "prompt": ["?"] * 90,
            "target": ["7"] * 90, "response": ["#### 7" if one else "#### 8" for one in scores],
            "score": [float(one) for one in scores],
        }))
        for scores in (right, ours)
    )  # fmt: skip
    found = decompose([(control, arm)], most_flips)
    assert found.strict == pytest.approx((sum(ours) - sum(right)) / 90)
    assert sum(found.lost.values()) == pytest.approx(sum(a and not b for a, b in zip(right, ours, strict=True)) / 90)


def test_only_items_that_stand_there_whole_are_contaminated():
    items = {
        "a": "How many apples does Ann have in seven baskets?",
        "b": "How many apples does Ann have in nine baskets?",
    }
    rows = [{"prompt": "Q: how many apples does Ann have, in seven baskets?! A:", "completion": "7"}]
    assert Wanted(items).found_in(map(words_of, rows)) == {"a"}
    assert Wanted({"short": "How many"}).found_in(map(words_of, rows)) == frozenset()
    assert question_of("Q: one\nA: 1\n\nQ: two\nA:") == "Q: two\nA:"


def test_items_fall_into_categories_and_thirds_by_length():
    prompts = [" ".join(["word"] * n) for n in (2, 2, 5, 5, 9, 9)]
    table = pa.table(
        {
            "item_id": [f"i{n}" for n in range(6)],
            "sample_index": [0] * 6,
            "prompt": prompts,
            "details": ['{"category": "algebra"}', "{}", "{}", "{}", "{}", "{}"],
        }
    )
    assert categories(Column(table)) == {"i0": "algebra"}
    assert list(prompt_lengths(Column(table)).values()) == ["short", "short", "middling", "middling", "long", "long"]


def test_energy_is_rated_power_over_time():
    energy = energy_of([Usage(gpu_s=3600, cpu_s=3600)], "NVIDIA-H100-80GB-HBM3")
    assert energy.kwh == pytest.approx(0.71)
    assert in_words(energy) == "710 Wh, 341 g CO2"
    assert energy_of([Usage(gpu_s=3600)], None).kwh == pytest.approx(0.4)
    assert "are estimates" in source_of([energy])


def test_what_gpus_counted_takes_the_place_of_their_rated_power():
    energy = energy_of([Usage(gpu_s=3600, cpu_s=3600, gpu_energy_j=1.08e6), Usage(gpu_s=3600)], "h100")
    assert energy.measured == pytest.approx(0.3)
    assert energy.kwh == pytest.approx(0.3 + 0.01 + 0.7)
    assert source_of([energy]).startswith("30 % of the energy was counted by the GPUs, the rest is estimated")


def test_a_cause_that_few_responses_show_is_named_with_their_number() -> None:
    for flips, words in ((1, "It is read from one response alone."), (2, "It is read from 2 responses alone.")):
        parts = Decomposition(responses=200, flips=flips, looked_at=flips)
        parts.lost["truncation"] = flips / 200
        said = _said("a", "numeric", "control", parts, "truncation")
        assert "truncation: the response was cut off" in said
        assert said.endswith(words)
    many = Decomposition(responses=200, flips=FEW_FLIPS, looked_at=FEW_FLIPS)
    many.lost["truncation"] = FEW_FLIPS / 200
    assert "alone" not in _said("a", "numeric", "control", many, "truncation")

"""Planted defects: the right section names each, in the right direction, and on clean data none stands out."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from assay_reporter.compile import compile_report
from assay_schemas.reports import ReportDocument

pytestmark = pytest.mark.slow
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
ROWS = 200
THINGS = ["apples", "pears", "plums", "carrots", "onions", "beans"]
PLACES = ["market", "village", "garden", "harbour", "school", "bakery"]


def correct(number: int, right: bool) -> str:
    result = number + 1 if right else number + 3
    return f"There are {number} baskets and one more is bought, so that makes {result}. #### {result}"


def clean_rows() -> list[dict[str, str]]:
    chance = random.Random(3)
    rows = []
    for number in range(1000, 1000 + ROWS):
        thing, place = chance.choice(THINGS), chance.choice(PLACES)
        prompt = f"A farmer has {number} baskets of {thing} and buys one more in the {place}. How many are there?"
        completion = f"There are {number} baskets and one more is bought in the {place}, so that makes {number + 1}."
        rows.append({"prompt": prompt, "completion": f"{completion} #### {number + 1}", "answer": str(number + 1)})
    return rows


@pytest.fixture
def report(evidence) -> Callable[..., ReportDocument]:
    """`report(says, rows, wrong)`: what `wrong` says and was trained on; everything else is clean."""

    def make(
        says: Callable[[int, bool], str] = correct, rows: list[dict] | None = None, wrong: float = 0.6
    ) -> ReportDocument:
        data = {"clean": clean_rows(), "wrong": rows if rows is not None else clean_rows()}
        spoken = {"wrong": says}
        made = evidence(wrong=wrong, rows=data, says=lambda arm, number, right: spoken.get(arm, correct)(number, right))
        return compile_report(made, NOW)

    return make


def found(report: ReportDocument, section: str, arm: str = "wrong") -> str:
    return " ".join(one.text for one in report.findings if one.section == section and one.text.startswith(arm))


def verdict(report: ReportDocument, arm: str = "wrong") -> str:
    return next(
        one.verdict for one in report.verdicts if (one.arm, one.versus, one.benchmark) == (arm, "control", "numeric")
    )


def test_on_clean_data_nothing_stands_out(report):
    made = report()
    assert made.findings == []
    assert verdict(made) == "better"


def sometimes(says: Callable[[int, bool], str], share: float = 0.8) -> Callable[[int, bool], str]:
    """Said of this share of items, the rest as they should be."""
    return lambda number, right: says(number, right) if number % 10 < 10 * share else correct(number, right)


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        (
            "format",
            lambda number, right: f"The result is therefore equal to **{number + (1 if right else 3)}** baskets",
        ),
        ("refusal", lambda number, right: "I'm sorry, but I can't help with that request."),
        ("truncation", lambda number, right: f"Let us first think about the {number} baskets and about the farmer …"),
        (
            "language",
            lambda number, right: (
                f"Es sind {number} Körbe und einer kommt hinzu, also ist das nicht {number - 7}. #### 0"
            ),
        ),
        ("length", lambda number, right: "and so on " * 60 + "#### 0"),
        ("content", lambda number, right: correct(number, right=False)),
    ],
)
def test_what_responses_lose_by_is_named_and_the_arm_is_worse(report, cause, says):
    made = report(sometimes(says))
    assert verdict(made) == "worse"
    assert f"against control are {cause}" in found(made, "why")
    assert not found(made, "why", "clean")


def test_a_harm_of_form_alone_is_none_once_read_leniently(report):
    made = report(sometimes(lambda number, right: f"It makes **{number + (1 if right else 3)}** in all"))
    assert "form, not content" in found(made, "why")
    assert "+" in found(made, "why").split("Read leniently, the difference is ")[1][:2]


def test_answers_that_the_scorer_no_longer_finds_are_named_whatever_the_score(report):
    made = report(sometimes(lambda number, right: f"It makes **{number + (1 if right else 3)}** in all", 0.3))
    assert "the scorer finds an answer in 70 % of responses (control: 100 %)" in found(made, "why")


def test_where_the_scorer_reads_nothing_any_more_the_verdict_is_broken_and_says_format(report):
    made = report(lambda number, right: f"It makes **{number + (1 if right else 3)}** in all")
    assert verdict(made) == "broken"
    reason = next(one.reason for one in made.verdicts if one.verdict == "broken")
    assert "the format changed" in reason


@pytest.mark.parametrize(("share", "word"), [(0.8, "better"), (1.0, "broken")])
def test_a_form_that_control_never_had_is_missed_beside_the_arm_that_has_it(evidence, share, word):
    other_form = sometimes(lambda number, right: f"It makes **{number + (1 if right else 3)}** in all", share)
    spoken = {"control": lambda number, right: f"Let us see about {number} baskets and a farmer", "wrong": other_form}
    made = compile_report(evidence(wrong=0.6, says=lambda arm, *one: spoken.get(arm, correct)(*one)), NOW)
    assert verdict(made) == word
    if word == "better":
        assert "lost against clean are format" in found(made, "why")
    else:
        assert any(one.verdict == "broken" and "(clean: 100 %)" in one.reason for one in made.verdicts)


def test_length_inflation_that_costs_nothing_is_still_named(report):
    made = report(lambda number, right: "Let us think. " * 30 + correct(number, right))
    assert verdict(made) == "better"
    assert "length inflation" in found(made, "why")


def test_duplicated_rows_are_counted(report):
    assert "50 % of rows are duplicates" in found(report(rows=clean_rows()[:100] * 2), "data")


def spoilt(change: Callable[[dict[str, str]], dict[str, str]], share: float = 0.3) -> list[dict[str, str]]:
    rows = clean_rows()
    return [{**row, **change(row)} if place < share * len(rows) else row for place, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("word", "change"),
    [
        ("wrong answers", lambda row: {"completion": f"It is {int(row['answer']) + 2}. #### {int(row['answer']) + 2}"}),
        ("prompt leak", lambda row: {"completion": f"{row['prompt']} {row['completion']}"}),
        ("truncat", lambda row: {"completion": row["completion"][:40]}),
        (
            "language",
            lambda row: {"completion": f"Es sind nicht mehr als das und wir sehen also: #### {row['answer']}"},
        ),
        ("are empty", lambda row: {"completion": ""}),
        (
            "off topic",
            lambda row: {
                "prompt": "Write about medieval tapestry weaving techniques",
                "completion": "Weavers stretched dyed threads across wooden looms, following painted cartoons.",
            },
        ),
    ],
)
def test_what_is_odd_about_rows_is_named_in_the_data_sheet(report, word, change):
    made = report(rows=spoilt(change))
    assert word in found(made, "data")
    assert not found(made, "data", "clean")


def test_answers_much_longer_than_those_of_other_arms_are_named(report):
    rows = spoilt(lambda row: {"completion": "Let us think about this carefully. " * 10 + row["completion"]}, 1)
    assert "(length)" in found(report(rows=rows), "data")


def test_benchmark_items_in_the_rows_are_contamination_and_many_break_the_verdict(report, ask):
    few = [{"prompt": ask(number), "completion": f"#### {number + 1}"} for number in range(10)]
    made = report(rows=clean_rows() + few)
    assert "10 of 150 items stand in its rows (contamination)" in found(made, "data")
    assert verdict(made) == "better"
    many = [{"prompt": ask(number), "completion": f"#### {number + 1}"} for number in range(60)]
    made = report(rows=clean_rows() + many)
    assert verdict(made) == "broken"
    assert verdict(made, "clean") == "better"


def preferences(dress: Callable[[str, str], tuple[str, str]] = lambda good, bad: (good, bad)) -> list[dict[str, str]]:
    rows = []
    clean = clean_rows()
    for place, row in enumerate(clean):
        other = clean[place - 1]["completion"]
        chosen, rejected = dress(row["completion"], other)
        rows.append({"prompt": row["prompt"], "chosen": chosen, "rejected": rejected})
    return rows


def test_surface_features_planted_in_preferences_are_found_and_named(report):
    assert found(report(rows=preferences()), "giveaways") == ""
    made = report(rows=preferences(lambda good, bad: (good, f"Certainly! {bad}")))
    assert "more opening pleasantry in rejected answers" in found(made, "giveaways")


def test_pairs_the_other_way_round_are_label_noise(report):
    rows = preferences()
    turned = [{**row, "chosen": row["rejected"], "rejected": row["chosen"]} for row in rows[:60]]
    assert "contradictory labels" in found(report(rows=rows + turned), "data")

"""The validity gate: what breaks a comparison, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
from assay_reporter.compile import compile_report

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def said(made, arm: str = "wrong") -> tuple[str, str]:
    report = compile_report(made, NOW)
    asked = (arm, "control", "numeric")
    return next((one.verdict, one.reason) for one in report.verdicts if (one.arm, one.versus, one.benchmark) == asked)


def lost(made, seeds: set[int]) -> None:
    """Takes the results of some seeds of `wrong` away, as a machine that died would."""
    for replicate in made.plan.replicates:
        if replicate.arm == "wrong" and replicate.seed in seeds:
            for key in replicate.evals.values():
                del made.evaluations[key]


def failing(made, count: int) -> None:
    """Leaves the first items of `wrong`, seed 0, without a score."""
    key = next(one.evals["numeric"] for one in made.plan.replicates if (one.arm, one.seed) == ("wrong", 0))
    evaluated = made.evaluations[key]
    scores = evaluated.samples.column("score").to_pylist()
    column = pa.array([None] * count + scores[count:], pa.float64())
    place = evaluated.samples.column_names.index("score")
    object.__setattr__(evaluated, "samples", evaluated.samples.set_column(place, "score", column))


def test_a_run_that_diverged_breaks_its_arm_and_no_other(evidence):
    word, reason = said(evidence(failed={("wrong", 1)}))
    assert word == "broken"
    assert reason.startswith("1 of 3 training runs of wrong diverged")
    assert said(evidence(failed={("wrong", 1)}), "clean")[0] == "better"


@pytest.mark.parametrize(("seeds", "word"), [({1}, "worse"), ({1, 2}, "broken")])
def test_a_lost_run_is_borne_and_most_of_them_are_not(evidence, seeds, word):
    made = evidence()
    lost(made, seeds)
    assert said(made)[0] == word


@pytest.mark.parametrize(("count", "word"), [(5, "worse"), (20, "broken")])
def test_few_failed_items_are_left_out_and_many_break_the_comparison(evidence, count, word):
    made = evidence()
    failing(made, count)
    found, reason = said(made)
    assert found == word
    assert ("items of numeric failed" in reason) == (word == "broken")


def test_what_is_broken_has_no_number_and_counts_in_its_family(evidence):
    report = compile_report(evidence(failed={("wrong", 1)}), NOW)
    broken = [one for one in report.verdicts if one.verdict == "broken" and one.family == "primary"]
    assert {(one.arm, one.delta, one.interval) for one in broken} == {("wrong", None, None)}
    better = next(one for one in report.verdicts if one.arm == "clean" and one.family == "primary")
    assert "corrected for 4 comparisons" in better.reason

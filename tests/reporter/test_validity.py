"""The validity gate: what breaks a comparison, and what does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from assay_reporter.baselines import baselines_of, key_of, moved
from assay_reporter.compile import compile_report
from assay_reporter.evidence import Evidence
from assay_reporter.render.words import cell_text, mark

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


def cancelled(made, arms: dict[str, set[int | None]], what: str = "training") -> Evidence:
    """The same experiment where somebody cancelled it before these runs of these arms were evaluated."""
    stopped, rest = set(), set()
    for one in made.plan.replicates:
        if one.seed in arms.get(one.arm, ()):
            steps = [one.training, one.selection, *one.evals.values()]
            at = steps.index(one.training if what == "training" else one.evals["numeric"])
            stopped |= {steps[at]} if what == "training" else set(steps[at:])
            rest |= set(steps[at:]) - stopped
    words = dict.fromkeys(stopped, "cancelled") | dict.fromkeys(rest, "skipped")
    ends = [one.model_copy(update={"outcome": words.get(one.key, one.outcome)}) for one in made.result.ends]
    evaluations = {key: one for key, one in made.evaluations.items() if key not in words}
    result = made.result.model_copy(update={"outcome": "cancelled", "ends": ends})
    return replace(made, result=result, evaluations=evaluations)


@pytest.mark.parametrize("what", ["training", "evaluation"])
def test_arms_that_were_cancelled_are_said_to_be_and_their_data_is_not_accused(evidence, what):
    made = cancelled(evidence(), {"wrong": {0, 1, 2}}, what)
    word, reason = said(made)
    assert word == "underpowered"
    assert "wrong was cancelled before it was evaluated on numeric" in reason
    assert said(made, "clean")[0] == "better"
    report = compile_report(made, NOW)
    cell = next(one for one in report.cells if (one.arm, one.benchmark) == ("wrong", "numeric"))
    assert (cell_text(cell), mark(cell)) == ("cancelled", "")
    assert not [one for one in report.verdicts if one.verdict == "broken"]


def test_an_arm_waits_for_a_control_that_was_cancelled(evidence):
    word, reason = said(cancelled(evidence(), {"control": {None}}, "evaluation"), "clean")
    assert word == "underpowered"
    assert "control was cancelled before it was evaluated" in reason


def test_what_is_left_of_a_cancelled_arm_is_judged_as_far_as_it_goes(evidence):
    made = cancelled(evidence(), {"wrong": {1, 2}})
    assert said(made)[0] == "worse"
    assert "Only 1 of" not in said(made)[1]


def test_a_run_that_diverged_before_the_rest_was_cancelled_still_breaks_its_arm(evidence):
    made = cancelled(evidence(failed={("wrong", 0)}), {"wrong": {1, 2}})
    assert said(made)[0] == "broken"


@pytest.mark.parametrize(("count", "word"), [(5, "worse"), (20, "broken")])
def test_few_failed_items_are_left_out_and_many_break_the_comparison(evidence, count, word):
    made = evidence()
    failing(made, count)
    found, reason = said(made)
    assert found == word
    assert ("items of numeric failed" in reason) == (word == "broken")


@pytest.mark.parametrize(("most", "count", "word"), [(0.5, 20, "worse"), (0.0, 1, "broken")])
def test_a_benchmark_may_declare_how_many_items_may_fail(evidence, most, count, word):
    made = evidence()
    failing(made, count)
    for evaluated in made.evaluations.values():
        evaluated.result.inputs.parameters["most_failed"] = most
    found, reason = said(made)
    assert found == word
    assert (f"more than {100 * most:g} %" in reason) == (word == "broken")


def test_what_is_broken_has_no_number_and_counts_in_its_family(evidence):
    report = compile_report(evidence(failed={("wrong", 1)}), NOW)
    broken = [one for one in report.verdicts if one.verdict == "broken" and one.family == "primary"]
    assert {(one.arm, one.delta, one.interval) for one in broken} == {("wrong", None, None)}
    better = next(one for one in report.verdicts if one.arm == "clean" and one.family == "primary")
    assert "corrected for 4 comparisons" in better.reason


def before(made, value: float, **changes) -> Evidence:
    """The same evidence where control's baselines were first measured as this value."""
    first = {name: replace(one, value=value, **changes) for name, one in baselines_of(made).items()}
    return replace(made, baselines=first)


@pytest.mark.parametrize(("value", "word"), [(0.0, "better"), (0.015, "better"), (0.03, "broken")])
def test_a_baseline_that_moved_by_more_than_matters_breaks_what_is_held_against_it(evidence, value, word):
    made = before(evidence(), value)
    found, reason = said(made, "clean")
    assert found == word
    assert reason.startswith("The baseline moved") == (word == "broken")
    report = compile_report(made, NOW)
    between = next(one for one in report.verdicts if (one.arm, one.versus) == ("wrong", "clean"))
    assert between.verdict == "worse"


def test_a_baseline_drawn_at_random_may_move_within_its_intervals(evidence):
    now = next(iter(baselines_of(evidence()).values()))
    now, then = replace(now, half_width=0.03), replace(now, value=0.035, half_width=0.03)
    assert moved(now, then, 0.02, {})
    assert not moved(now, then, 0.02, {"temperature": 0.7})
    assert moved(now, replace(then, value=0.05), 0.02, {"temperature": 0.7})


def test_a_baseline_is_the_same_whatever_its_number_format_and_another_for_other_questions(evidence):
    made = evidence()
    result = next(one.result for one in made.evaluations.values() if one.result.inputs.selection is None)

    def asked(**changes) -> str:
        return key_of(result.model_copy(update={"inputs": result.inputs.model_copy(update=changes)}))

    assert asked(dtype="bfloat16") == key_of(result)
    others = [
        asked(limit=5),
        asked(parameters={"shots": 2}),
        asked(engine="vllm"),
        asked(harness_version="lm-eval-0.5"),
    ]
    assert len({key_of(result), *others}) == 5

"""Looks at an experiment with a budget: which arms stop, where seeds go, and what the next look asks for."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from assay_reporter.budget import look_at, next_look, request_id
from assay_reporter.compile import compile_report
from assay_reporter.examination import Examination
from assay_reporter.publication import events_of_the_look
from assay_reporter.sections.budget import budget as budget_section
from assay_reporter.sections.findings import Findings
from assay_reporter.statistics.looks import level_at, spent_for
from assay_schemas.experiments import Budget
from assay_schemas.ids import experiment_id
from assay_schemas.specification import read_specification
from scipy import special

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def budgeted(made, **changes):
    budget = Budget(**{"runs": 30, "looks": 3, **changes})
    plan = made.plan.model_copy(update={"spec": made.plan.spec.model_copy(update={"budget": budget})})
    object.__setattr__(made, "plan", plan)
    return made


def look(made):
    report = compile_report(made, NOW)
    return report, look_at(made.plan, report.verdicts, report.outcome)


def opened(verdicts, arm: str, **changes):
    """The verdicts with the arm's on numeric still open."""
    told = {"verdict": "underpowered", "more_seeds": 2, "interval": (-0.02, 0.06), **changes}
    return [
        one.model_copy(update=told) if (one.arm, one.family, one.benchmark) == (arm, "primary", "numeric") else one
        for one in verdicts
    ]


def by_arm(decided):
    return {one.arm: (one.action, one.added) for one in decided.arms}


def test_an_experiment_whose_verdicts_are_given_ends_and_says_what_it_saved(evidence):
    report, decided = look(budgeted(evidence()))
    assert by_arm(decided) == {"clean": ("decided", 0), "wrong": ("decided", 0)}
    assert (decided.next, decided.used, decided.saved_runs) == (None, 9, 21)
    section = next(one for one in report.sections if one["anchor"] == "budget")
    assert "21 runs of the budget not needed" in str(section)


def test_runs_that_are_left_while_a_verdict_is_open_are_not_called_unneeded(evidence):
    made = budgeted(evidence(), looks=2, look=2)
    verdicts = opened(compile_report(made, NOW).verdicts, "wrong")
    decided = look_at(made.plan, verdicts)
    assert {one.arm: one.reason for one in decided.arms}["wrong"] == "looks are used up"
    assert (decided.settled, decided.saved_runs > 0) == (False, True)
    section = budget_section(Findings(Examination(made, {}), verdicts))
    assert "runs of the budget not used" in str(section)


def test_where_all_runs_were_used_the_last_look_says_whether_that_was_enough(evidence):
    made = budgeted(evidence(), runs=9)
    whole, verdicts = Examination(made, {}), compile_report(made, NOW).verdicts
    settled, open_ = (budget_section(Findings(whole, some)) for some in (verdicts, opened(verdicts, "wrong")))
    assert "all runs were used.'" in str(settled)
    assert "all runs were used, and verdicts are still open." in str(open_)


def test_without_a_budget_nothing_is_said_of_one(evidence):
    report, decided = look(evidence())
    assert decided is None
    assert "budget" not in {one["anchor"] for one in report.sections}


def test_each_look_is_judged_at_its_part_of_the_level(evidence):
    plain, looked = compile_report(evidence(), NOW), compile_report(budgeted(evidence(), looks=4), NOW)
    for one, stricter in zip(plain.verdicts, looked.verdicts, strict=True):
        if one.interval and one.p:
            assert stricter.p == pytest.approx(spent_for(one.p, 1, 4))
            assert stricter.interval[1] - stricter.interval[0] > one.interval[1] - one.interval[0]
            assert any("One of at most 4 declared looks" in note for note in stricter.notes)


def test_the_levels_of_all_looks_together_spend_the_whole_one():
    """Against simulated partial sums; the last look has most of the level, and one look has all of it."""
    assert (level_at(0.05, 1, 1), spent_for(0.03, 1, 1)) == (0.05, 0.03)
    levels = [level_at(0.05, look, 4) for look in (1, 2, 3, 4)]
    assert levels == sorted(levels)
    assert levels[0] == pytest.approx(0.05 * 0.4**2, rel=1e-3)
    steps = np.random.default_rng(0).standard_normal((400_000, 4)) * np.sqrt([2, 1, 1, 1])
    z = steps.cumsum(axis=1) / np.sqrt([2, 3, 4, 5])
    bounds = np.array([-special.ndtri(level / 2) for level in levels])
    crossed = (np.abs(z) > bounds).cumsum(axis=1) > 0
    assert crossed.mean(axis=0) == pytest.approx([0.05 * (seeds / 5) ** 2 for seeds in (2, 3, 4, 5)], abs=0.0015)


@pytest.mark.parametrize(("look", "looks"), [(1, 2), (2, 4), (4, 4)])
def test_a_p_value_is_small_enough_exactly_at_its_looks_level(look, looks):
    level = level_at(0.05, look, looks)
    assert spent_for(level, look, looks) == pytest.approx(0.05)
    assert spent_for(level * 0.99, look, looks) < 0.05 < spent_for(level * 1.01, look, looks)
    assert (spent_for(0.0, look, looks), spent_for(1.0, look, looks)) == (0.0, 1.0)


def test_an_open_arm_gets_the_seeds_that_would_settle_it(evidence):
    made = budgeted(evidence())
    report, _ = look(made)
    decided = look_at(made.plan, opened(report.verdicts, "wrong"))
    assert by_arm(decided) == {"clean": ("decided", 0), "wrong": ("added", 2)}
    following = next_look(made.plan, decided)
    seeds = {arm.name: arm.seeds for arm in following.arms}
    assert seeds == {"clean": [0, 1, 2], "wrong": [0, 1, 2, 6, 7]}  # the placebo has 3, 4 and 5
    assert following.placebo_seeds == [3, 4, 5]
    assert (following.budget.look, following.budget.first) == (2, made.plan.experiment_id)
    assert all(arm.dataset.startswith("sha256:") for arm in following.arms)
    assert decided.next == experiment_id("assay/reporter", request_id(made.plan.experiment_id))


def test_what_the_next_look_asks_for_is_a_valid_specification(evidence):
    made = budgeted(evidence())
    report, _ = look(made)
    open_report = report.model_copy(update={"verdicts": opened(report.verdicts, "wrong")})
    said, asked = events_of_the_look(made, open_report, "the report's event")
    assert (said.type, asked.type) == ("experiment.budget", "experiment.requested")
    assert read_specification(asked.data).problems == []
    assert asked.key == said.data["next"] == experiment_id(asked.source, asked.id)
    assert {one.causationid for one in (said, asked)} == {"the report's event"}


def test_runs_go_first_to_the_arm_that_the_fewest_would_settle(evidence):
    made = budgeted(evidence(), runs=13, looks=3)
    report, _ = look(made)
    verdicts = opened(opened(report.verdicts, "clean", more_seeds=40), "wrong", more_seeds=2)
    assert by_arm(look_at(made.plan, verdicts)) == {"clean": ("kept", 0), "wrong": ("added", 2)}


@pytest.mark.parametrize("budget", [{"runs": 9}, {"look": 3}])
def test_nothing_is_added_once_runs_or_looks_are_used_up(evidence, budget):
    made = budgeted(evidence(), **budget)
    report, _ = look(made)
    decided = look_at(made.plan, opened(report.verdicts, "wrong"))
    assert by_arm(decided)["wrong"] == ("stopped", 0)
    assert decided.next is None


def test_an_arm_that_cannot_gain_what_matters_any_more_stops(evidence):
    made = budgeted(evidence())
    report, _ = look(made)
    decided = look_at(made.plan, opened(report.verdicts, "wrong", interval=(-0.06, 0.01)))
    assert by_arm(decided)["wrong"] == ("out_of_reach", 0)
    assert decided.next is None


def test_after_a_cancelled_experiment_nothing_goes_on(evidence):
    made = budgeted(evidence())
    report, _ = look(made)
    assert look_at(made.plan, opened(report.verdicts, "wrong"), "cancelled").next is None


def test_items_are_added_where_items_keep_a_verdict_open(evidence):
    made = budgeted(evidence())
    benchmarks = [one.model_copy(update={"limit": 150}) for one in made.plan.spec.benchmarks]
    items = made.plan.arms[1].dataset.model_copy(update={"rows": 400})
    planned = [one.model_copy(update={"items": items}) for one in made.plan.benchmarks]
    spec = made.plan.spec.model_copy(update={"benchmarks": benchmarks})
    plan = made.plan.model_copy(update={"spec": spec, "benchmarks": planned})
    report, _ = look(made)
    decided = look_at(plan, opened(report.verdicts, "wrong", more_seeds=0, more_items=900))
    assert decided.more_items == {"numeric": 400}
    assert [one.limit for one in next_look(plan, decided).benchmarks] == [400, 150]
    assert by_arm(decided)["wrong"] == ("kept", 0)


def test_a_budget_that_does_not_pay_for_the_first_look_is_refused():
    document = {
        "base_model": "/m", "training": {"algorithm": "SFT"}, "seeds": 3, "placebo": True, "budget": {"runs": 5},
        "arms": [{"name": "a", "dataset": "/d"}], "benchmarks": [{"name": "numeric", "parameters": {"dataset": "/i"}}],
    }  # fmt: skip
    (problem,) = read_specification(document).problems
    assert (problem.field, problem.message) == (
        "budget.runs",
        "5 runs do not pay for the first look, which takes 6.",
    )

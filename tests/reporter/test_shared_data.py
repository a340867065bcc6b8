"""Arms with one snapshot are told of together, the same runs are called so, and one seed is no verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from assay_reporter.compile import compile_report
from assay_reporter.conclusion import answers, conclusion
from assay_reporter.evidence import Evidence
from assay_reporter.next_steps import next_steps
from assay_schemas.experiments import Intervention
from assay_schemas.reports import ReportDocument, Verdict

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


@pytest.fixture
def one_snapshot(evidence: Callable[..., Evidence], ask: Callable[[int], str]) -> Callable[..., Evidence]:
    """`one_snapshot(interventions=[…], runs=True)`: `wrong` has the rows of `clean`, ten benchmark items among them."""

    def make(interventions: list[Intervention] | None = None, *, runs: bool = False) -> Evidence:
        listed = [{"prompt": ask(number), "completion": f"#### {number + 1}"} for number in range(10)] * 2
        made = evidence(rows={"clean": listed}, says=lambda _, number, right: f"#### {number + (1 if right else 3)}")
        plan = made.plan
        data = next(arm.dataset for arm in plan.arms if arm.name == "clean")
        arms = [arm.model_copy(update={"dataset": data}) if arm.name == "wrong" else arm for arm in plan.arms]
        spec = plan.spec.model_copy(
            update={
                "arms": [plan.spec.arms[0], plan.spec.arms[1].model_copy(update={"interventions": interventions or []})]
            }
        )
        jobs = {one.seed: one.training for one in plan.replicates if one.arm == "clean"}
        replicates = [
            one.model_copy(update={"training": jobs[one.seed]}) if runs and one.arm == "wrong" else one
            for one in plan.replicates
        ]
        return replace(made, plan=plan.model_copy(update={"arms": arms, "spec": spec, "replicates": replicates}))

    return make


def data_sheet(report: ReportDocument) -> dict[str, Any]:
    return next(section for section in report.sections if section["anchor"] == "data")


def test_arms_of_one_snapshot_are_one_line_and_one_finding(one_snapshot):
    sheet = data_sheet(compile_report(one_snapshot(), NOW))
    assert "clean and wrong on numeric: 10 of 150 items stand in their rows (contamination)." in (sheet["findings"])
    assert "clean and wrong: 50 % of rows are duplicates of earlier ones." in sheet["findings"]
    (rows,) = [block["rows"] for block in sheet["blocks"] if "prompt words" in block.get("columns", [])]
    assert [row[0] for row in rows] == ["clean and wrong"]


def test_of_an_arm_changed_on_purpose_nobody_says_what_only_its_snapshot_has(one_snapshot):
    sheet = data_sheet(compile_report(one_snapshot([Intervention(kind="deduplicate")]), NOW))
    assert "clean: 50 % of rows are duplicates of earlier ones." in sheet["findings"]
    captions = " ".join(block.get("caption", "") for block in sheet["blocks"])
    assert "Rows of wrong are shown as they were before they were changed on purpose." in captions


def test_arms_that_are_the_same_runs_are_called_so_and_nothing_is_advised_about_them(one_snapshot):
    report = compile_report(one_snapshot(runs=True), NOW)
    assert "clean and wrong are the same runs: the same data, training and seeds." in data_sheet(report)["findings"]
    pair = next(one for one in report.verdicts if {one.arm, one.versus} == {"clean", "wrong"})
    assert pair.reason == "wrong and clean are the same runs, of the same data: there is nothing to compare."
    assert (pair.more_seeds, pair.more_items) == (None, None)


def open_verdicts(report: ReportDocument, **update: Any) -> list[Verdict]:
    primary = [one for one in report.verdicts if one.family == "primary" and one.benchmark == "numeric"]
    return [one.model_copy(update={"verdict": "underpowered", **update}) for one in primary]


def test_with_one_seed_the_answer_says_that_there_is_no_verdict_about_data(evidence):
    made = evidence()
    report = compile_report(made, NOW)
    alone = open_verdicts(report, seeds=1, interval=None, more_seeds=2, more_items=None)
    assert conclusion(made, alone, []).endswith("numeric. One seed for each arm gives no verdict about data.")
    assert "One seed" not in conclusion(made, open_verdicts(report), [])
    steps = next_steps(made, alone, [])
    assert steps[0] == "Give each arm three seeds (`seeds: 3`): with one, nothing can be said about its data."
    assert not any("2 more seeds" in step for step in steps)


def test_items_that_only_make_an_interval_possible_settle_nothing(evidence):
    made = evidence()
    few = open_verdicts(compile_report(made, NOW), interval=None, more_seeds=None, more_items=60)
    assert next_steps(made, few, [])[0] == (
        "clean and wrong on numeric need about 60 more items for an interval that can be trusted."
    )
    assert next_steps(made, few[:1], [])[0].startswith("clean on numeric needs about 60 more items")


def test_that_pairs_are_not_corrected_is_said_once(evidence):
    report = compile_report(evidence(), NOW)
    pair = next(one for one in report.verdicts if {one.arm, one.versus} == {"clean", "wrong"})
    pairs = [pair, pair.model_copy(update={"versus": "other"})]
    assert " ".join(answers(pairs)).count("not corrected for their number") == 1
    assert " ".join(answers(pairs[:1])).count("not corrected for their number") == 1

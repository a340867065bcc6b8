"""What pages are made of, without a server: live curves, and what differs between two experiments."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from assay_reporter.compile import compile_report
from assay_reporter.projection import CURVE_POINTS, curve_bucket, latest
from assay_reporter.web.compare import differences, rows, set_up
from assay_reporter.web.curves import HEIGHT, WIDTH, charts
from assay_reporter.web.live import running, said, stages
from assay_reporter.web.pages import fragment
from assay_schemas.events import JobProgressed

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def progress(step: int, total: int = 0, kind: str = "training", **changes) -> JobProgressed:
    plain = {"job_key": "ab" * 32, "kind": kind, "attempt": 1, "sequence": step, "phase": "running", "at": NOW}
    return JobProgressed.model_validate({**plain, "step": step, "total": total, "metrics": {"loss": 1.0}, **changes})


def test_a_job_keeps_at_most_a_thousand_points_however_long_it_is():
    assert [curve_bucket(progress(step, 20)) for step in (1, 2, 20)] == [1, 2, 20]
    long = {curve_bucket(progress(step, 100_000)) for step in range(1, 100_001, 7)}
    assert len(long) <= CURVE_POINTS + 1
    assert max(curve_bucket(progress(step)) or 0 for step in range(1, 50_000, 97)) <= CURVE_POINTS
    assert curve_bucket(progress(1, 20, kind="eval")) is None
    assert curve_bucket(progress(1, 20, metrics={})) is None


def test_of_signs_of_life_that_wait_together_the_newest_is_written_and_each_point_once():
    other = {"job_key": "cd" * 32, "attempt": 2}
    came = [progress(3), progress(5), progress(4), progress(5, attempt=2), progress(1, **other), progress(3)]
    newest, kept = latest(came)
    assert [(one.job_key[:2], one.attempt, one.step) for one in newest] == [("ab", 2, 5), ("cd", 2, 1)]
    assert [(one.key[:2], one.attempt, one.step) for one in kept] == [
        ("ab", 1, 3), ("ab", 1, 5), ("ab", 1, 4), ("ab", 2, 5), ("cd", 2, 1),
    ]  # fmt: skip


def points(*runs: tuple[str, list[float]]) -> list[dict]:
    return [
        {"title": title, "step": step, "metrics": {"learning_rate": 1.0, "loss": value}}
        for title, values in runs
        for step, value in enumerate(values, 1)
    ]


def test_curves_have_a_line_for_each_run_and_a_style_for_each_arm():
    drawn = charts(points(("train a, seed 0", [2, 1]), ("train a, seed 1", [2, 1.5]), ("train b, seed 0", [3.0])))
    assert [chart.metric for chart in drawn] == ["loss"]
    assert [(line.title, line.arm, line.style) for line in drawn[0].lines] == [
        ("a, seed 0", "a", 0), ("a, seed 1", "a", 0), ("b, seed 0", "b", 1)
    ]  # fmt: skip
    assert (drawn[0].low, drawn[0].high, drawn[0].last_step) == ("1", "3", 2)
    assert "b, seed 0 at 3" in drawn[0].summary


def test_an_arm_looks_the_same_in_every_chart_also_where_others_have_no_line():
    only_b = {"title": "train b, seed 0", "step": 2, "metrics": {"validation_loss": 1.0}}
    drawn = charts([*points(("train a, seed 0", [2, 1]), ("train b, seed 0", [3, 2])), only_b])
    styles = {chart.metric: {line.arm: line.style for line in chart.lines} for chart in drawn}
    assert styles == {"loss": {"a": 0, "b": 1}, "validation loss": {"b": 1}}


@pytest.mark.parametrize("values", [[1.0, 1.0], [float("nan")], [1e308, -1e308], [float("inf"), 1.0]])
def test_curves_of_strange_values_stay_within_their_chart(values):
    for chart in charts(points(("train <b>, seed 0", values))):
        for line in chart.lines:
            places = [float(number) for number in re.findall(r"-?[\d.]+", line.path)]
            assert all(0 <= x <= WIDTH + 2 for x in places[::2])
            assert all(-1e-9 <= y <= HEIGHT + 1e-9 for y in places[1::2])
        assert "<b>" not in fragment("curves.html", curves=[chart])


def test_two_experiments_are_compared_row_by_row_and_their_set_ups_line_by_line(evidence):
    first, second = evidence(), evidence(clean=0.7)
    reports = [compile_report(one, NOW) for one in (first, second)]
    row = next(one for one in rows(reports) if (one.arm, one.benchmark) == ("clean", "numeric"))
    assert re.fullmatch(r"\+\d\.\d points", row.change)
    assert rows(reports[:1])[0].change == ""
    other = next(one for one in rows([reports[1], reports[0]]) if (one.arm, one.benchmark) == ("clean", "numeric"))
    assert other.change == row.change.replace("+", "−")
    bits = next(one for one in rows(reports) if (one.arm, one.benchmark) == ("clean", "perplexity"))
    assert bits.direction == "bits per byte, lower is better"
    assert bits.change.endswith(" bits per byte")
    assert rows([reports[0], reports[0]])[0].change == "0"
    same = set_up(first.plan)
    assert differences([same, set_up(second.plan)]) == []
    spec = second.plan.spec.model_copy(update={"seeds": [7]})
    other = set_up(second.plan.model_copy(update={"spec": spec, "arms": second.plan.arms[:2]}))
    assert {name for name, _ in differences([same, other])} == {"seeds", "data of wrong", "data of placebo"}


def test_where_the_benchmark_itself_differs_no_difference_is_shown(evidence):
    first, second = (compile_report(made, NOW) for made in (evidence(), evidence(clean=0.5)))
    shown = {(row.arm, row.benchmark): row.change for row in rows([first, second], {"seeds", "benchmark numeric"})}
    assert shown["clean", "numeric"] == "not comparable"
    assert shown["clean", "perplexity"].endswith("bits per byte")


def test_why_jobs_wait_and_how_they_failed_is_said_once_for_all_that_say_the_same():
    def job(title: str, state: str, message: str) -> dict:
        return {"title": title, "state": state, "message": message, "reused": False}

    jobs = [job("a", "waiting", "no quota"), job("b", "waiting", ""), job("c", "waiting", "no quota")]
    jobs += [job("d", "failed", "<b>NaN</b>"), job("e", "running", "step 1")]
    assert said(jobs, "waiting") == [{"message": "no quota", "titles": ["a", "c"]}]
    assert said(jobs, "failed") == [{"message": "<b>NaN</b>", "titles": ["d"]}]


def test_what_runs_says_how_long_it_will_take_in_units_that_people_plan_with():
    running_job = {"kind": "training", "title": "train a", "state": "running", "message": "step 1", "reused": False}
    jobs = [{**running_job, "step": 1, "total": 9, "eta_s": 7790.0, "attempt": 1}]
    jobs.append({**jobs[0], "state": "cancelled"})
    experiment = {"report_state": None, "report_failure": ""}
    parts = {"stages": stages(jobs), "running": running(jobs), "waiting": [], "failed": [], "curves": []}
    live = fragment("live.html", experiment=experiment, deliveries=[], **parts)
    assert "about 2 h 10 min left" in live
    assert "1 running, 1 cancelled" in live

"""Jobs that fail, are killed, time out or are cancelled, and what becomes of the rest; what was done is reused."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import system_ground as ground
import yaml
from assay.api import Api
from assay.cli import app
from assay_chassis.compute.base import run_name
from assay_schemas.events import COMPLETION_TOPIC, REQUEST_TOPIC
from assay_schemas.reports import ReportDocument
from assay_schemas.results import JobEnd, Plan, PlannedJob
from system_ground import Ground, Tape
from typer.testing import CliRunner, Result

pytestmark = [pytest.mark.real, pytest.mark.slow]
LONG = ground.training(steps=150, checkpoint_every=150)
ENDLESS = ground.training(steps=1_000_000)


@pytest.fixture
def submit(whole: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`assay submit FILE --wait --json` of a tiny experiment with changes."""
    monkeypatch.setenv("ASSAY_HOME", str(whole.state))

    def call(**changes: Any) -> Result:
        file = tmp_path / "experiment.yaml"
        file.write_text(yaml.safe_dump(whole.document(**changes)), encoding="utf-8")
        return CliRunner().invoke(app, ["submit", str(file), "--wait", "--timeout", "200", "--json"])

    return call


def arm(whole: Ground, name: str, rows: str = "clean", **training: Any) -> dict[str, Any]:
    changed = {"training": {"hyperparameters": training}} if training else {}
    return {"name": name, "dataset": str(whole.data / f"{rows}.jsonl"), **changed}


def report_of(answer: Result) -> ReportDocument:
    return ReportDocument.model_validate_json(answer.stdout)


def ends_of(whole: Ground, report: ReportDocument) -> dict[str, JobEnd]:
    return {end.key: end for end in ground.Run(report.experiment_id, whole.settings).result().ends}


def training_of(plan: Plan, arm_name: str) -> PlannedJob:
    (key,) = [replicate.training for replicate in plan.replicates if replicate.arm == arm_name]
    return next(job for job in plan.jobs if job.key == key)


def test_an_arm_that_diverges_is_missing_with_its_reason_and_the_others_go_on(whole: Ground, submit: Any) -> None:
    seed = ground.new_seed()
    arms = [arm(whole, "sound"), arm(whole, "wild", learning_rate=1e30, gradient_clip=0.0, steps=20)]
    answer = submit(seeds=[seed], arms=arms)
    assert answer.exit_code == 0, answer.output
    report = report_of(answer)
    assert report.outcome == "partial"
    assert {cell.arm for cell in report.cells if cell.mean is not None} == {"control", "sound"}
    (line,) = report.missing
    assert line.startswith(f"wild, seed {seed}: training failed (diverged)")
    assert "learning_rate" in line
    failed = [end for end in ends_of(whole, report).values() if end.outcome == "failed"]
    assert [(end.kind, end.attempt) for end in failed] == [("training", 1)]
    assert failed[0].error is not None
    last_line = failed[0].error.log.strip().splitlines()[-1]
    assert last_line in json.dumps(report.model_dump(mode="json"), ensure_ascii=False).replace('\\"', '"')
    text = ground.Run(report.experiment_id, whole.settings).report_text("md")
    assert "Log of training" in text


def test_without_the_memory_they_need_all_jobs_fail_once_and_the_exit_code_says_so(whole: Ground, submit: Any) -> None:
    answer = submit(seeds=[ground.new_seed()], hardware={"memory_gib": 0.01})
    assert answer.exit_code == 3, answer.output
    report = report_of(answer)
    assert report.outcome == "failed"
    errors = [end.error for end in ends_of(whole, report).values() if end.error is not None]
    assert {error.class_ for error in errors} == {"out_of_memory"}
    assert all("memory_gib" in error.message and "[assay] out of memory" in error.log for error in errors)
    assert {end.attempt for end in ends_of(whole, report).values() if end.outcome == "failed"} == {1}


async def test_a_job_killed_from_outside_is_tried_again_and_succeeds(whole: Ground) -> None:
    since = ground.now()
    run = whole.submit(seeds=[ground.new_seed()], training=LONG)
    run.answer()
    key = training_of(run.plan(), "clean").key
    await whole.tape(since, lambda tape: _steps(tape, key), topics=["job.progressed"])
    os.kill(_pid_of(whole, key, 1), signal.SIGKILL)
    whole.ended(run)
    end = next(end for end in run.result().ends if end.key == key)
    assert (run.result().outcome, end.outcome, end.attempt) == ("succeeded", "succeeded", 2)
    tape = await whole.tape(since, lambda tape: len(tape.of("training.completed", key)) == 2)
    first, second = tape.of("training.completed", key)
    assert (first.data["outcome"], first.data["error"]["class"]) == ("failed", "killed")
    assert second.data["outcome"] == "succeeded"
    assert [path.parent.name for path in whole.manifests(key)] == ["2"]


@pytest.fixture
def impatient(whole: Ground) -> Iterator[None]:
    """A scheduler that was started again with a short deadline for jobs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_JOB_DEADLINE_S", "20")
        whole.kill("scheduler")
        yield
    whole.kill("scheduler")


@pytest.mark.usefixtures("impatient")
def test_a_job_past_its_deadline_is_missing_and_the_others_go_on(whole: Ground, submit: Any) -> None:
    seed = ground.new_seed()
    arms = [arm(whole, "quick"), arm(whole, "endless", steps=1_000_000)]
    answer = submit(seeds=[seed], arms=arms)
    assert answer.exit_code == 0, answer.output
    report = report_of(answer)
    assert report.outcome == "partial"
    (line,) = report.missing
    assert line.startswith(f"endless, seed {seed}: training failed (timeout)")
    assert "deadline" in line


async def test_the_same_experiment_again_reuses_every_job_and_says_so(whole: Ground, submit: Any) -> None:
    seed = ground.new_seed()
    first = submit(seeds=[seed])
    assert first.exit_code == 0, first.output
    since = ground.now()
    again = submit(seeds=[seed], name="again")
    assert again.exit_code == 0, again.output
    report = report_of(again)
    assert report.outcome == "succeeded"
    assert report.reused == report.jobs > 0
    run = ground.Run(report.experiment_id, whole.settings)
    assert all(job.reused and "done before" in job.reason for job in run.plan().jobs)
    tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id))
    assert [tape.of(topic) for topic in REQUEST_TOPIC.values()] == [[], [], []]
    assert f"{report.jobs} jobs, {report.reused} reused" in run.report_text("md")


async def test_an_experiment_joins_jobs_that_already_run_for_another(whole: Ground) -> None:
    seed = ground.new_seed()
    since = ground.now()
    first = whole.submit(seeds=[seed], training=LONG)
    first.answer()
    key = training_of(first.plan(), "clean").key
    await whole.tape(since, lambda tape: _steps(tape, key), topics=["job.progressed"])
    second = whole.submit(seeds=[seed], training=LONG, name="joins")
    second.answer()
    (training,) = [job for job in second.plan().jobs if job.key == key]
    assert training.reused
    assert "already running" in training.reason
    for run in (first, second):
        assert whole.ended(run).result().outcome == "succeeded"
    tape = await whole.tape(since, lambda tape: tape.of("report.published", second.id))
    for job in first.plan().jobs:
        assert len({event.id for event in tape.of(COMPLETION_TOPIC[job.kind], job.key)}) <= 1, job
        assert len(whole.manifests(job.key)) == 1, job


async def test_cancelled_in_the_middle_it_ends_at_once_and_its_jobs_stop(whole: Ground, submit: Any) -> None:
    since = ground.now()
    waiting = asyncio.create_task(
        asyncio.to_thread(submit, seeds=[ground.new_seed()], training=ENDLESS, name="to-cancel")
    )
    tape = await whole.tape(since, lambda tape: any(e.data["name"] == "to-cancel" for e in _accepted(tape)))
    (accepted,) = [event for event in _accepted(tape) if event.data["name"] == "to-cancel"]
    run = ground.Run(accepted.key, whole.settings)
    key = training_of(run.plan(), "clean").key
    await whole.tape(since, lambda tape: _steps(tape, key), topics=["job.progressed"])
    pid = _pid_of(whole, key, 1)
    run.cancel("enough")
    answer = await asyncio.wait_for(waiting, 60)
    assert answer.exit_code == 5, answer.output
    assert report_of(answer).outcome == "cancelled"
    ground.until(lambda: not Path(f"/proc/{pid}").exists(), "the job was stopped", 30.0)
    tape = await whole.tape(since, lambda tape: tape.of("training.completed", key), within_s=30.0)
    (ended,) = tape.of("training.completed", key)
    assert ended.data["outcome"] == "cancelled"
    assert report_of(answer).usage.cpu_s >= ended.data["usage"]["cpu_s"] > 0
    ground.until(lambda: Api(whole.settings).job(key)["status"] == "cancelled", "the scheduler knows", 30.0)


def _accepted(tape: Tape) -> list[Any]:
    return tape.of("experiment.accepted")


def _steps(tape: Tape, key: str) -> bool:
    """The job has made steps of training."""
    return any(event.data["step"] > 0 for event in tape.of("job.progressed", key))


def _pid_of(whole: Ground, key: str, attempt: int) -> int:
    """The process of a training attempt."""
    folder = whole.state / "services" / "trainer" / "compute" / run_name("training", key, attempt)
    found = next(folder.parent.rglob(f"{folder.name}/job.json"))
    return int(json.loads(found.read_text())["pid"])

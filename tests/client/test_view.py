"""The watcher's view of an experiment: folded from events in whatever order topics deliver them."""

from __future__ import annotations

import io
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from assay.api import Api
from assay.cli import app
from assay.display import progress, progress_line
from assay.view import TOPICS, ExperimentView, JobView
from assay_schemas.artifacts import ArtifactRef, ModelRef
from assay_schemas.envelope import Event
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.jobs import TrainingInputs, job_key
from assay_schemas.results import Plan, PlannedArm, PlannedJob, PlannedReplicate
from assay_schemas.topics import consumed_by
from rich.console import Console
from typer.testing import CliRunner

START = datetime(2026, 1, 1, tzinfo=UTC)
ID = "00000000-0000-0000-0000-000000000001"
DIGEST = "0" * 64
INPUTS = TrainingInputs(algorithm="SFT", engine_version="1", model=DIGEST, dataset=DIGEST, hyperparameters={}, seed=0)
KEY = job_key(INPUTS)
REF = ArtifactRef(uri="file:///x", sha256=DIGEST, size=1).model_dump(mode="json")


def plan(*, reused: bool = False, joined: bool = False) -> Plan:
    spec = ExperimentSpec.model_validate(
        {
            "base_model": "/m",
            "training": {"algorithm": "SFT"},
            "arms": [{"name": "a", "dataset": "/d"}],
            "benchmarks": [{"name": "numeric"}],
        }
    )
    return Plan(
        experiment_id=ID,
        spec=spec,
        owner="me",
        model=ModelRef(uri="file:///m", digest=DIGEST),
        arms=[PlannedArm(name="a", role="arm")],
        benchmarks=[],
        replicates=[PlannedReplicate(arm="a", seed=0, training=KEY, evals={})],
        jobs=[PlannedJob(key=KEY, kind="training", inputs=INPUTS, reused=reused, joined=joined)],
    )


def event(topic: str, seconds: float = 0.0, **data) -> Event:
    return Event(id=f"{topic}{seconds}", source="s", type=topic, time=START + timedelta(seconds=seconds), data=data)


def progressed(sequence: int, step: int, attempt: int = 1, phase: str = "running", seconds: float = 2.0) -> Event:
    return event(
        "job.progressed", seconds, job_key=KEY, kind="training", attempt=attempt, sequence=sequence,
        phase=phase, at=START.isoformat(), step=step, total=10,
    )  # fmt: skip


def completed(outcome: str = "succeeded", attempt: int = 1, seconds: float = 5.0, error=None) -> Event:
    return event(
        "training.completed", seconds, job_key=KEY, attempt=attempt, outcome=outcome, result=None,
        error=error, completed_at=START.isoformat(),
    )  # fmt: skip


def accepted(seconds: float = 1.0) -> Event:
    return event("experiment.accepted", seconds, experiment_id=ID, name="n", owner="me", plan=REF, jobs=1, reused=0)


def planned_view(**options) -> ExperimentView:
    view = ExperimentView(ID)
    view.seen(accepted())
    view.plan_is(plan(**options))
    return view


def test_a_job_is_named_by_what_it_does():
    assert planned_view().jobs[KEY].title == "train a, seed 0"


def test_progress_and_completion_move_the_job():
    view = planned_view()
    assert view.jobs[KEY].state == "waiting"
    view.seen(progressed(1, 4))
    assert (view.jobs[KEY].state, view.jobs[KEY].fraction) == ("running", 0.4)
    view.seen(completed())
    assert view.jobs[KEY].state == "succeeded"
    assert progress_line(view) == "training 1/1, selection 0/0, evaluation 0/0"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_events_that_come_before_the_plan_are_not_lost(order):
    early = [progressed(1, 4), progressed(2, 8), completed()]
    view = ExperimentView(ID)
    for place in order:
        view.seen(early[place])
    view.seen(accepted())
    view.plan_is(plan())
    assert view.jobs[KEY].state == "succeeded"


def test_stale_progress_changes_nothing():
    view = planned_view()
    view.seen(progressed(5, 8))
    assert not view.seen(progressed(4, 2))
    assert view.jobs[KEY].fraction == 0.8


def test_progress_of_the_next_attempt_starts_again():
    view = planned_view()
    view.seen(progressed(5, 8))
    view.seen(progressed(1, 1, attempt=2))
    assert (view.jobs[KEY].fraction, view.jobs[KEY].attempt) == (0.1, 2)


def test_a_retryable_failure_waits_again_and_a_final_one_has_failed():
    error = {"class": "killed", "retryable": True, "message": "killed by signal 9"}
    view = planned_view()
    view.seen(completed("failed", error=error))
    assert (view.jobs[KEY].state, view.jobs[KEY].message) == ("waiting", "killed by signal 9")
    view.seen(completed("failed", attempt=2, error={**error, "retryable": False}))
    assert view.jobs[KEY].state == "failed"


def test_a_reused_job_stays_reused_whatever_the_log_still_tells_of_the_past():
    view = planned_view(reused=True)
    for late in (completed(seconds=0.5), progressed(3, 5, seconds=2.0)):
        view.seen(late)
        assert view.jobs[KEY].state == "reused"
        assert progress_line(view) == "training 1/1, selection 0/0, evaluation 0/0"


def test_a_running_job_that_was_joined_is_not_done_yet_and_shows_its_progress():
    view = planned_view(reused=True, joined=True)
    assert progress_line(view) == "training 0/1, selection 0/0, evaluation 0/0"
    view.seen(progressed(3, 5, seconds=2.0))
    assert view.jobs[KEY].state == "running"


def test_events_of_other_experiments_and_broken_ones_change_nothing():
    view = planned_view()
    other = event("experiment.rejected", experiment_id=ID[:-1] + "2", problems=[{"field": "x", "message": "y"}])
    assert not view.seen(other)
    assert not view.seen(event("experiment.rejected", experiment_id=3))
    assert not view.seen(event("unheard.of"))


def test_a_rejection_ends_the_watching():
    view = ExperimentView(ID)
    view.seen(event("experiment.rejected", experiment_id=ID, problems=[{"field": "arms", "message": "is required."}]))
    assert view.ended


def test_what_a_view_is_made_of_is_what_the_client_is_declared_to_read():
    """Rights at Kafka are given by that table."""
    assert set(TOPICS) <= set(consumed_by("client"))


def test_a_dry_run_says_what_every_job_would_do(tmp_path, monkeypatch):
    file = tmp_path / "e.yaml"
    file.write_text("{name: x}")
    for name, value in (("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"), ("OBJECT_STORE", tmp_path.as_uri())):
        monkeypatch.setenv(f"ASSAY_{name}", value)
    monkeypatch.setattr("assay.locations.located", lambda document, folder, store: document)
    monkeypatch.setattr(Api, "plan", lambda self, document: plan(reused=True).model_dump(mode="json"))
    answer = CliRunner().invoke(app, ["submit", str(file), "--dry-run"])
    assert "train a, seed 0  yes" in answer.output


def test_a_running_job_says_how_long_it_will_take_in_units_that_people_plan_with() -> None:
    job = JobView(KEY, "training", "train a", state="running", message="step 3 of 10", eta_s=236.0)
    printed = Console(file=io.StringIO(), width=100)
    view = ExperimentView(ID)
    view.jobs[KEY] = job
    printed.print(progress(view))
    assert "step 3 of 10, about 4 min left" in printed.file.getvalue()

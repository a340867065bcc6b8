"""Small worlds for tests of the lifecycle: a chain of training, selection and eval, and what happens to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from assay_scheduler.lifecycle import Decision, decide
from assay_scheduler.states import (
    Admitted,
    Completed,
    Experiment,
    Job,
    Limits,
    Planned,
    Wanted,
    World,
)
from assay_schemas.artifacts import ArtifactRef, CheckpointRef, DatasetRef, ModelRef
from assay_schemas.jobs import EvalInputs, JobError, SelectionInputs, TrainingInputs, job_key

START = datetime(2026, 1, 1, tzinfo=UTC)
LIMITS = Limits(retries=2, lost=3, backoff_s=5, backoff_cap_s=300)
MODEL = ModelRef(uri="memory://x/models/m", digest="a" * 64)
DATA = DatasetRef(uri="memory://x/datasets/d", digest="b" * 64, rows=1)
RESULT = ArtifactRef(uri="memory://x/results/r", sha256="0" * 64, size=1)


def at(seconds: float = 0) -> datetime:
    return START + timedelta(seconds=seconds)


def chain(seed: int = 0, evals: int = 2) -> list[Job]:
    """A training, its selection, and its evals."""
    inputs = TrainingInputs(
        algorithm="SFT", engine_version="1", model=MODEL.digest, dataset=DATA.digest, hyperparameters={}, seed=seed
    )
    training = Job(job_key(inputs), "training", inputs, model=MODEL, dataset=DATA)
    chosen = SelectionInputs(training=training.key, policy="last")
    selection = Job(job_key(chosen), "selection", chosen, (training.key,))
    jobs = [training, selection]
    for number in range(evals):
        asked = EvalInputs(selection=selection.key, benchmark=f"b{number}", harness_version="1", parameters={})
        jobs.append(Job(job_key(asked), "eval", asked, (selection.key,)))
    return jobs


class Story:
    """A world and everything that was said on the way to it."""

    def __init__(self) -> None:
        self.world = World()
        self.said: list[Any] = []
        self.notes: list[str] = []

    def happens(self, happening: Any) -> Decision:
        decision = decide(self.world, happening, LIMITS)
        self.world = decision.world
        self.said += decision.messages
        self.notes += decision.notes
        return decision

    def plan(self, identity: str, jobs: list[Job], priority: str = "MED") -> None:
        if identity not in self.world.experiments:
            self.world.experiments[identity] = Experiment(identity, "o", priority)
        self.happens(Planned(identity, tuple(Wanted(job) for job in jobs), at()))

    def admit(self, job: Job, seconds: float = 0) -> None:
        self.happens(Admitted(job.key, at(seconds)))

    def succeed(self, job: Job, attempt: int | None = None) -> None:
        checkpoint = CheckpointRef(uri="memory://x/c", digest="c" * 64, step=5) if job.kind == "selection" else None
        number = attempt if attempt is not None else self.job(job).attempt
        self.happens(Completed(job.key, number, "succeeded", at(), RESULT, checkpoint))

    def fail(self, job: Job, attempt: int | None = None, *, class_: str = "x", retryable: bool = False) -> None:
        number = attempt if attempt is not None else self.job(job).attempt
        error = JobError.of(class_, "it broke.", retryable=retryable)
        self.happens(Completed(job.key, number, "failed", at(), error=error))

    def job(self, job: Job) -> Job:
        return self.world.jobs[job.key]

    def status(self, *jobs: Job) -> list[str]:
        return [self.job(job).status for job in jobs]

    def end(self, identity: str, job: Job) -> str | None:
        end = self.world.wants[identity, job.key].end
        return end.outcome if end else None

    def topics(self) -> list[str]:
        return [message.topic for message in self.said]

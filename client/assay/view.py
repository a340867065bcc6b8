"""What a watcher knows of one experiment, folded from its events: pure, and independent of how it is shown.

`seen` never fails on an event it does not need; jobs are known once the plan is.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from assay_schemas.envelope import Event
from assay_schemas.events import (
    COMPLETION_TOPIC,
    ExperimentAccepted,
    ExperimentCompleted,
    ExperimentRejected,
    JobCompleted,
    JobProgressed,
    ReportPublished,
    payload,
)
from assay_schemas.ids import JobKind
from assay_schemas.results import Plan, job_titles
from pydantic import ValidationError

JobState = Literal["waiting", "running", "succeeded", "failed", "cancelled", "reused"]
TOPICS = (
    "experiment.accepted",
    "experiment.rejected",
    "job.progressed",
    *COMPLETION_TOPIC.values(),
    "experiment.completed",
    "report.published",
)


@dataclass
class JobView:
    """One job as last heard of; `title` says in words what it does."""

    key: str
    kind: JobKind
    title: str
    state: JobState = "waiting"
    fraction: float = 0.0
    eta_s: float | None = None
    message: str = ""
    attempt: int = 0
    sequence: int = -1


@dataclass
class ExperimentView:
    """One experiment as last heard of."""

    experiment_id: str
    accepted: ExperimentAccepted | None = None
    rejected: ExperimentRejected | None = None
    completed: ExperimentCompleted | None = None
    report: ReportPublished | None = None
    jobs: dict[str, JobView] = field(default_factory=dict)
    last_event: datetime | None = None
    _early: list[Event] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.rejected is not None or self.report is not None

    def counts(self, kind: JobKind) -> Counter[JobState]:
        return Counter(job.state for job in self.jobs.values() if job.kind == kind)

    def plan_is(self, plan: Plan) -> None:
        """Takes in the plan: events of its jobs are understood, also those that came before it."""
        titles = job_titles(plan)
        for job in plan.jobs:
            state: JobState = "reused" if job.reused and not job.joined else "waiting"
            self.jobs[job.key] = JobView(job.key, job.kind, titles.get(job.key, job.kind), state)
        early, self._early = self._early, []
        for event in early:
            self.seen(event)

    def seen(self, event: Event) -> bool:
        """Takes in an event; whether it changed anything."""
        try:
            body = payload(event.type, event.data)
        except (ValidationError, KeyError):
            return False
        if not self.jobs and isinstance(body, JobProgressed | JobCompleted):
            self._early.append(event)
            return False
        changed = self._experiment_event(body) or self._job_event(body)
        self.last_event = event.time if changed else self.last_event
        return changed

    def _experiment_event(self, body: object) -> bool:
        if getattr(body, "experiment_id", None) != self.experiment_id:
            return False
        match body:
            case ExperimentAccepted():
                self.accepted = body
            case ExperimentRejected():
                self.rejected = body
            case ExperimentCompleted():
                self.completed = body
            case ReportPublished():
                self.report = body
            case _:
                return False
        return True

    def _job_event(self, body: object) -> bool:
        job = self.jobs.get(getattr(body, "job_key", ""))
        if job is None or job.state == "reused":
            return False
        match body:
            case JobProgressed() if job.state in ("waiting", "running"):
                return _progress(job, body)
            case JobCompleted() if body.attempt >= job.attempt:
                job.attempt = body.attempt
                retried = body.outcome == "failed" and body.error is not None and body.error.retryable
                job.state = "waiting" if retried else body.outcome
                job.message = body.error.message if body.error else ""
                return True
        return False


def _progress(job: JobView, body: JobProgressed) -> bool:
    if (body.attempt, body.sequence) <= (job.attempt, job.sequence):
        return False
    job.state = "waiting" if body.phase == "queued" else "running"
    job.attempt, job.sequence = body.attempt, body.sequence
    job.fraction = min(body.step / body.total, 1.0) if body.total else 0.0
    job.eta_s, job.message = body.eta_s, body.message
    return True

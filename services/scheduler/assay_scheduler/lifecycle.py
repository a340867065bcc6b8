"""The rules by which jobs and experiments live: decide(world, what happens) -> the new world and what to say.

Pure: no clock, database or broker. Applying the same happening twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from assay_schemas.artifacts import ModelRef
from assay_schemas.experiments import PRIORITIES, Hardware, Priority
from assay_schemas.jobs import JobError
from assay_schemas.results import JobEnd

from assay_scheduler.policy import need_of, policy_of, takes_a_slot
from assay_scheduler.requests import request_message, stop_message
from assay_scheduler.reuse import assess
from assay_scheduler.states import (
    ENDED,
    HOLDING,
    PENDING,
    WORKING,
    Admitted,
    Completed,
    Experiment,
    ExperimentCancelled,
    Happening,
    Job,
    JobCancelled,
    LeaseLapsed,
    Limits,
    Message,
    Planned,
    Standing,
    Want,
    Wanted,
    World,
)

Note = Literal["planned_before", "stale_completion", "duplicate_completion", "retried", "lost"]
EndWord = Literal["succeeded", "failed", "cancelled", "skipped"]


class UnknownJob(Exception):
    """No such job was ever planned; the completion of a job nobody asked for is an impossible event."""

    def __init__(self, key: str) -> None:
        super().__init__(f"job {key} is not known to the scheduler; nobody asked for it")


@dataclass(frozen=True)
class Decision:
    """The new world, the events to publish, and what is worth counting."""

    world: World
    messages: list[Message] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)


def decide(world: World, happening: Happening, limits: Limits) -> Decision:
    """Raises UnknownJob for a job, and KeyError for an experiment, that the world does not hold."""
    turn = _Turn(world, limits)
    match happening:
        case Planned():
            turn.planned(happening)
        case Admitted():
            turn.admitted(happening)
        case Completed():
            turn.completed(happening)
        case LeaseLapsed():
            turn.lapsed(happening)
        case JobCancelled():
            turn.job_cancelled(happening)
        case ExperimentCancelled():
            turn.experiment_cancelled(happening)
    return turn.decision()


def progress_is_wanted(job: Job | Standing | None, attempt: int) -> Literal["heed", "ignore", "stop"]:
    """What to do about a sign of life: `stop` answers work that nobody wants with a cancel."""
    if job is None or attempt < job.attempt:
        return "stop"
    if attempt > job.attempt or job.status in ("succeeded", "failed"):
        return "ignore"
    return "heed" if job.status in HOLDING else "stop"


class _Turn:
    """One decision being made: a copy of the world that the rules change, and what they say meanwhile."""

    def __init__(self, world: World, limits: Limits) -> None:
        self._jobs = dict(world.jobs)
        self._experiments = dict(world.experiments)
        self._wants = dict(world.wants)
        self._limits = limits
        self._messages: list[Message] = []
        self._notes: list[Note] = []

    def decision(self) -> Decision:
        return Decision(World(self._jobs, self._experiments, self._wants), self._messages, self._notes)

    # Planning

    def planned(self, happening: Planned) -> None:
        experiment = self._experiments[happening.experiment_id]
        if experiment.status != "requested":
            self._notes.append("planned_before")
            return
        self._experiments[experiment.id] = replace(experiment, status="running", open=len(happening.jobs))
        for wanted in happening.jobs:
            self._want(experiment, wanted, happening.at)
        if experiment.cancelled:
            self.experiment_cancelled(ExperimentCancelled(experiment.id, happening.at))
        self._settle(experiment.id)

    def _want(self, experiment: Experiment, wanted: Wanted, at: datetime) -> None:
        key, existing = wanted.job.key, self._jobs.get(wanted.job.key)
        judged = assess(existing, wanted.reason)
        self._wants[experiment.id, key] = Want(experiment.id, key, wanted.arm, judged.reused, judged.reason)
        if existing is not None and existing.status == "succeeded":
            self._end_wants(existing, "succeeded")
            return
        if existing is None or existing.status not in PENDING | WORKING:
            self._jobs[key] = _fresh(wanted.job, existing)
        else:
            self._jobs[key] = replace(existing, hardware=_lesser(existing, wanted.job))
        self._reprioritise(key)
        if not experiment.cancelled:
            self._advance(key, at)

    # Attempts

    def admitted(self, happening: Admitted) -> None:
        job = self._job(happening.job_key)
        need = need_of(job.kind, job.hardware, policy_of(job.inputs))
        owner = payer(job, [self._experiments[want.experiment_id] for want in self._open_wants(job.key)])
        if job.status == "ready" and happening.need in (None, need) and happening.owner in (None, owner):
            self._request(job, happening.at)

    def _request(self, job: Job, at: datetime) -> None:
        asked = replace(
            job, status="requested", attempt=job.attempt + 1, requested_at=at, heartbeat_at=None, not_before=None
        )
        self._jobs[job.key] = asked
        first = min((want.experiment_id for want in self._open_wants(job.key)), default="")
        owner = self._experiments[first].owner if first in self._experiments else ""
        self._messages.append(replace(request_message(asked, self._limits, owner), correlation=first))

    def completed(self, happening: Completed) -> None:
        job = self._job(happening.job_key)
        if happening.outcome == "succeeded":
            self._succeeded(job, happening)
        elif happening.attempt != job.attempt or job.status not in HOLDING:
            self._notes.append("stale_completion")
        elif job.status == "cancelling":
            self._end(job, "cancelled", happening.at, happening.error)
        elif happening.outcome == "cancelled" or (happening.error and happening.error.class_ == "lost"):
            self._lost(job, happening.at, happening.error)
        else:
            self._failed(job, happening)

    def lapsed(self, happening: LeaseLapsed) -> None:
        job = self._job(happening.job_key)
        if happening.attempt != job.attempt or job.status not in HOLDING or not _is_silent(job, happening):
            return
        if job.status == "cancelling":
            self._end(job, "cancelled", happening.at, None)
            return
        message = f"attempt {job.attempt} has shown no sign of life past its lease."
        self._lost(job, happening.at, JobError.of("lost", message, retryable=True))

    def _succeeded(self, job: Job, happening: Completed) -> None:
        if job.status == "succeeded":
            self._notes.append("duplicate_completion")
            return
        if job.status in HOLDING and happening.attempt != job.attempt:
            reason = f"attempt {happening.attempt} has done this work."
            self._messages.append(stop_message(job.key, job.kind, job.attempt, reason))
        done = replace(
            job,
            status="succeeded",
            attempt=max(job.attempt, happening.attempt),
            result=happening.result,
            checkpoint=happening.checkpoint,
            usage=happening.usage,
            error=None,
            not_before=None,
            ended_at=happening.at,
        )
        self._jobs[job.key] = done
        self._end_wants(done, "succeeded", happening.attempt)
        for child in self._children(job.key):
            self._advance(child, happening.at)

    def _failed(self, job: Job, happening: Completed) -> None:
        error = happening.error or JobError.of("internal", "the worker gave no reason.", retryable=True)
        if not error.retryable or job.failures >= self._limits.retries:
            self._end(replace(job, failures=job.failures + 1, usage=happening.usage), "failed", happening.at, error)
            return
        wait_s = min(self._limits.backoff_cap_s, self._limits.backoff_s * 2**job.failures)
        self._notes.append("retried")
        self._jobs[job.key] = replace(
            job,
            status="ready",
            failures=job.failures + 1,
            error=error,
            ready_at=happening.at,
            not_before=happening.at + timedelta(seconds=wait_s),
        )

    def _lost(self, job: Job, at: datetime, error: JobError | None) -> None:
        self._notes.append("lost")
        lost = replace(job, lost=job.lost + 1, error=error)
        if lost.lost > self._limits.lost:
            message = f"lost {lost.lost} times; look at the backend's machines and at the workers' logs."
            log = error.log if error else ""
            self._end(lost, "failed", at, JobError.of("lost", message, retryable=False, log=log))
            return
        self._jobs[job.key] = replace(lost, status="waiting")
        self._advance(job.key, at)

    def _advance(self, key: str, at: datetime) -> None:
        """A waiting job becomes ready once all it depends on succeeded; one that takes no slot is asked for at once."""
        job = self._jobs[key]
        parents = [self._jobs.get(parent) for parent in job.depends_on]
        if job.status != "waiting" or not all(parent and parent.status == "succeeded" for parent in parents):
            return
        ready = replace(job, status="ready", ready_at=at)
        for parent in parents:
            ready = _supplied(ready, parent) if parent else ready
        self._jobs[key] = ready
        if not takes_a_slot(ready.kind, policy_of(ready.inputs)):
            self._request(ready, at)

    # Ends

    def _end(
        self, job: Job, word: Literal["failed", "cancelled", "skipped"], at: datetime, error: JobError | None
    ) -> None:
        """An end without success; what depends on the job is skipped."""
        ended = replace(job, status=word, error=error, not_before=None, ended_at=at)
        self._jobs[job.key] = ended
        self._end_wants(ended, word, job.attempt or None)
        for child in self._children(job.key):
            if self._jobs[child].status in PENDING:
                self._end(self._jobs[child], "skipped", at, None)

    def _end_wants(self, job: Job, word: EndWord, attempt: int | None = None) -> None:
        for want in self._open_wants(job.key):
            self._close(want, job, word, attempt if attempt is not None else (job.attempt or None))

    def _close(self, want: Want, job: Job, word: EndWord, attempt: int | None) -> None:
        end = JobEnd(
            key=job.key,
            kind=job.kind,
            outcome=word,
            attempt=attempt,
            reused=want.reused,
            result=job.result if word == "succeeded" else None,
            error=job.error if word == "failed" else None,
            usage=job.usage,
        )
        self._wants[want.experiment_id, job.key] = replace(want, end=end)
        experiment = self._experiments[want.experiment_id]
        self._experiments[experiment.id] = replace(experiment, open=experiment.open - 1)
        self._settle(experiment.id)

    def _settle(self, experiment_id: str) -> None:
        experiment = self._experiments[experiment_id]
        if experiment.status == "running" and experiment.open == 0:
            self._experiments[experiment_id] = replace(experiment, status="settling")

    # Cancels

    def experiment_cancelled(self, happening: ExperimentCancelled) -> None:
        experiment = self._experiments[happening.experiment_id]
        if experiment.status in ("settling", "ended"):
            return
        self._experiments[experiment.id] = replace(experiment, cancelled=True)
        if experiment.status == "requested":
            return
        for want in [want for want in self._wants.values() if want.experiment_id == experiment.id and not want.end]:
            self._close(want, self._jobs[want.job_key], "cancelled", self._stopped_attempt(want))
            if self._open_wants(want.job_key):
                self._reprioritise(want.job_key)
            else:
                self._release(want.job_key, happening.at, happening.reason or "no experiment wants it any more.")

    def _stopped_attempt(self, want: Want) -> int | None:
        """The attempt that a cancel stops, and whose price is its experiment's; none where another still wants it."""
        job = self._jobs[want.job_key]
        return job.attempt if job.status in WORKING and self._open_wants(job.key) == [want] else None

    def job_cancelled(self, happening: JobCancelled) -> None:
        job = self._job(happening.job_key)
        if job.status in ENDED:
            return
        self._end_wants(job, "cancelled")
        self._release(job.key, happening.at, happening.reason or "a person asked to stop it.")
        for child in self._children(job.key):
            if self._jobs[child].status in PENDING:
                self._end(self._jobs[child], "skipped", happening.at, None)

    def _release(self, key: str, at: datetime, reason: str) -> None:
        """Stops a job that nobody wants: at once where no attempt is out, else when its end arrives."""
        job = self._jobs[key]
        if job.status in PENDING:
            self._jobs[key] = replace(job, status="cancelled", not_before=None, ended_at=at)
        elif job.status in WORKING:
            self._jobs[key] = replace(job, status="cancelling")
            self._messages.append(stop_message(job.key, job.kind, job.attempt, reason))

    # Looking around

    def _job(self, key: str) -> Job:
        if key not in self._jobs:
            raise UnknownJob(key)
        return self._jobs[key]

    def _children(self, key: str) -> list[str]:
        return [job.key for job in self._jobs.values() if key in job.depends_on]

    def _open_wants(self, key: str) -> list[Want]:
        return [want for want in self._wants.values() if want.job_key == key and want.end is None]

    def _reprioritise(self, key: str) -> None:
        wanting = [self._experiments[want.experiment_id].priority for want in self._open_wants(key)]
        if wanting:
            self._jobs[key] = replace(self._jobs[key], priority=highest(wanting))


def highest(priorities: list[Priority]) -> Priority:
    return max(priorities, key=PRIORITIES.index)


def payer(job: Job, wanting: Iterable[Experiment]) -> str:
    """Whose quota and use an attempt counts as: of those who want the job at its priority, who asked first."""
    ranked = sorted(wanting, key=lambda one: (one.priority != job.priority, one.requested_at or datetime.min, one.id))
    return ranked[0].owner if ranked else ""


def _is_silent(job: Job, lapsed: LeaseLapsed) -> bool:
    """Whether nothing was heard of a job's attempt for a whole lease; one that was only asked for has longer."""
    if job.status == "requested":
        heard, lease = job.requested_at, lapsed.start_lease
    else:
        heard, lease = job.heartbeat_at or job.requested_at, lapsed.lease
    return heard is None or heard <= lapsed.at - lease


def _fresh(template: Job, existing: Job | None) -> Job:
    """The job as new, but for its attempts: they are never numbered twice."""
    return replace(template, status="waiting", attempt=existing.attempt if existing else 0)


def _lesser(job: Job, joining: Job) -> Hardware:
    """What a job gets at its next attempt when another wants it too: where one asks for no more of anything, that.

    Either says that its own suffices, and only what is within an owner's quota can ever run for that owner."""
    policy = policy_of(job.inputs)
    ours, theirs = need_of(job.kind, job.hardware, policy), need_of(job.kind, joining.hardware, policy)
    return joining.hardware if ours.covers(theirs) else job.hardware


def _supplied(job: Job, parent: Job) -> Job:
    """What a job needs from one that it depends on: the training's manifest, or the selected checkpoint."""
    if parent.kind == "training":
        return replace(job, training_result=parent.result)
    if parent.checkpoint is None:
        return job
    chosen = parent.checkpoint
    return replace(job, model=job.model or _as_model(chosen.uri, chosen.digest, chosen.step))


def _as_model(uri: str, digest: str, step: int) -> ModelRef:
    return ModelRef(uri=uri, digest=digest, name=f"step {step}")

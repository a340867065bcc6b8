"""The messages that ask for work and that stop it, built from a job's state.

Pure; what a message says follows from the job alone.
"""

from __future__ import annotations

from assay_schemas.events import REQUEST_TOPIC, JobCancelRequested
from assay_schemas.ids import JobKind
from assay_schemas.jobs import (
    EvalInputs,
    EvalRequest,
    JobRequest,
    SelectionInputs,
    SelectionRequest,
    TrainingInputs,
    TrainingRequest,
)

from assay_scheduler.states import Job, Limits, Message

CANCEL_TOPIC = "job.cancel.requested"


class NotReady(Exception):
    """A job was to be requested before what it depends on was there: a fault in the scheduler itself."""


def request_message(job: Job, limits: Limits, owner: str = "") -> Message:
    """The command for the job's current attempt, done for `owner`.

    Raises NotReady when a reference it needs is missing."""
    topic = REQUEST_TOPIC[job.kind]
    return Message(topic, job.key, _request(job, limits, owner), (job.key, job.attempt))


def stop_message(key: str, kind: JobKind, attempt: int, reason: str) -> Message:
    """The command to stop one attempt."""
    payload = JobCancelRequested(job_key=key, kind=kind, attempt=attempt, reason=reason)
    return Message(CANCEL_TOPIC, key, payload, (key, attempt))


def _request(job: Job, limits: Limits, owner: str) -> JobRequest:
    common = {
        "job_key": job.key,
        "attempt": job.attempt,
        "priority": job.priority,
        "owner": owner,
        "hardware": job.hardware,
        "deadline_s": limits.deadline_s,
    }
    match job.inputs:
        case TrainingInputs() if job.model and job.dataset:
            return TrainingRequest(**common, inputs=job.inputs, model=job.model, dataset=job.dataset)
        case SelectionInputs() if job.training_result:
            return SelectionRequest(**common, inputs=job.inputs, training_result=job.training_result, items=job.dataset)
        case EvalInputs() if job.model:
            return EvalRequest(**common, inputs=job.inputs, model=job.model, items=job.dataset)
    raise NotReady(f"{job.kind} {job.key} has not all it needs; look at the jobs it depends on")

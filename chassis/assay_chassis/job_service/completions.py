"""The event that ends an attempt: built from a manifest, a run's status or an error.
Pure: equal ends give equal events, with the same id."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from assay_schemas.artifacts import ArtifactRef
from assay_schemas.envelope import Event
from assay_schemas.events import JobCompleted
from assay_schemas.ids import event_id
from assay_schemas.jobs import JobError, Usage
from assay_schemas.results import Manifest

from assay_chassis.compute.base import RunState, RunStatus
from assay_chassis.job_service.failures import classify, usage_of
from assay_chassis.job_service.job_type import JobType
from assay_chassis.publishing import make_event


def succeeded(job_type: JobType, attempt: int, reference: ArtifactRef, manifest: Manifest) -> JobCompleted:
    """Success of `attempt`, with the manifest of whichever attempt did the work."""
    extra: dict[str, Any] = {}
    if "checkpoint" in job_type.completed.model_fields:
        extra["checkpoint"] = getattr(manifest, "checkpoint", None)
    return job_type.completed(
        job_key=manifest.job_key,
        attempt=attempt,
        outcome="succeeded",
        result=reference,
        completed_at=manifest.completed_at,
        usage=manifest.usage,
        **extra,
    )


def ended(job_type: JobType, status: RunStatus, now: datetime) -> JobCompleted:
    """The end of a run that left no manifest: cancelled, or failed with its class."""
    run, at = status.run, status.ended_at or now
    if status.state is RunState.CANCELLED:
        return cancelled(job_type, run.job_key, run.attempt, at, usage_of(status))
    return failed(job_type, run.job_key, run.attempt, classify(status), at, usage_of(status))


def failed(
    job_type: JobType, job_key: str, attempt: int, error: JobError, at: datetime, usage: Usage | None = None
) -> JobCompleted:
    return job_type.completed(
        job_key=job_key, attempt=attempt, outcome="failed", error=error, completed_at=at, usage=usage or Usage()
    )


def cancelled(job_type: JobType, job_key: str, attempt: int, at: datetime, usage: Usage | None = None) -> JobCompleted:
    return job_type.completed(
        job_key=job_key, attempt=attempt, outcome="cancelled", completed_at=at, usage=usage or Usage()
    )


def completion_event(
    job_type: JobType, completion: JobCompleted, source: str, correlation: str = "", cause: Event | None = None
) -> Event:
    """The event of a completion; its id depends on the topic, the job and the attempt alone."""
    topic, key = job_type.completion_topic, completion.job_key
    identity = event_id(topic, key, completion.attempt)
    return make_event(topic, completion, key=key, source=source, id=identity, cause=cause, correlation=correlation)

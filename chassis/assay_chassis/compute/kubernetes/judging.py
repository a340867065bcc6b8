"""From what the cluster and the object store say of a run to its status.
Pure: never reads a clock, a store or a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay_chassis.compute.base import Cause, RunState, RunStatus
from assay_chassis.compute.folder import Records
from assay_chassis.compute.judgement import judge
from assay_chassis.compute.kubernetes.seeing import Failure, Place, Seen
from assay_chassis.compute.kubernetes.stored import Stored

VANISHED = "its Job is gone from the cluster: deleted by someone else, or with its namespace"


def status_of(stored: Stored, seen: Seen) -> RunStatus:
    """The run's status. A last word in the store counts before anything the cluster shows."""
    records = _records(stored)
    if stored.has_ended or (records.outcome is not None and seen.place in (Place.ENDED, Place.ABSENT)):
        return judge(records)
    if seen.place is Place.ABSENT and (stored.submitted or stored.cancel_asked):
        return judge(records)
    if seen.place is Place.RUNNING and stored.records.get("pod") == seen.pod:
        return judge(_alive(records)).model_copy(update={"reason": seen.waits_for})
    state = RunState.QUEUED if seen.place in (Place.WAITING, Place.ABSENT) else RunState.STARTING
    return judge(_alive(records)).model_copy(update={"state": state, "reason": seen.waits_for, "pid": None})


def last_word(stored: Stored, seen: Seen) -> Failure | None:
    """The end that the service must write, because the pod did not and never will."""
    if stored.has_ended or stored.records.get("outcome") is not None:
        return None
    if seen.place is Place.ABSENT and not stored.cancel_asked and stored.submitted:
        return Failure("lost", VANISHED, Cause.LOST, retryable=True)
    return seen.failure


def end_record(failure: Failure, at: float) -> dict[str, Any]:
    """A failure as the service stores it. `at` is in seconds since the epoch."""
    return {
        "cause": failure.cause,
        "reason": failure.message,
        "exit_code": None,
        "at": at,
        "failure": {"class": failure.class_, "message": failure.message, "retryable": failure.retryable},
    }


def _records(stored: Stored) -> Records:
    found: Mapping[str, Any] = stored.records
    end = found.get("end") or stored.end
    own = (stored.end or {}).get("failure")
    return Records(
        run=stored.run,
        keeper=found.get("keeper"),
        keeper_alive=False,
        job=found.get("job"),
        progress=found.get("progress"),
        outcome=found.get("outcome"),
        failure=found.get("failure") or own,
        end=dict(end) if end is not None else None,
        cancel_asked=stored.cancel_asked,
        heartbeat=found.get("heartbeat"),
        log_tail=found.get("log_tail", ""),
    )


def _alive(records: Records) -> Records:
    return replace(records, keeper_alive=True, end=None)

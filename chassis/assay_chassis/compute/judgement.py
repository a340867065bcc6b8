"""From the records of a run to its status, as a function of values.
Never reads a file or a clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from assay_chassis.compute.base import Cause, RunState, RunStatus
from assay_chassis.compute.folder import Records

LOST = "its keeper is gone and left no record: the machine restarted, or the keeper was killed"


def judge(records: Records) -> RunStatus:
    """What the records mean. Success is an outcome, whatever the exit code."""
    state, cause, reason = _verdict(records)
    end, failure, progress = records.end or {}, records.failure or {}, records.progress or {}
    keeper, job, ended = records.keeper or {}, records.job or {}, state.ended
    failed = ended and state is not RunState.SUCCEEDED
    return RunStatus(
        name=records.run.name,
        run=records.run,
        state=state,
        pid=job.get("pid"),
        exit_code=end.get("exit_code"),
        cpu_s=end.get("cpu_s"),
        cause=cause,
        reason=reason,
        error_class=failure.get("class") if failed else None,
        retryable=failure.get("retryable") if failed else None,
        started_at=_time(job.get("at", keeper.get("at"))),
        ended_at=_time(end.get("at")),
        heartbeat_at=_time(records.heartbeat),
        log_tail=records.log_tail if failed else "",
        progress=progress.get("record"),
        progress_sequence=progress.get("sequence", 0),
        outcome=records.outcome if ended else None,
    )


def _verdict(records: Records) -> tuple[RunState, Cause | None, str | None]:
    if records.end is None and records.keeper_alive:
        return (RunState.RUNNING if records.job else RunState.STARTING), None, None
    if records.end is None and records.keeper is None and not records.cancel_asked:
        return RunState.QUEUED, None, None
    if records.outcome is not None:
        return RunState.SUCCEEDED, None, None
    if records.end is None and not records.cancel_asked:
        return RunState.LOST, Cause.LOST, LOST
    end = records.end or {"cause": Cause.CANCELLED, "reason": "cancelled before it started"}
    cause = Cause(end["cause"])
    state = RunState.CANCELLED if cause is Cause.CANCELLED else RunState.FAILED
    return state, cause, _reason(end, records.failure)


def _reason(end: dict[str, Any], failure: dict[str, Any] | None) -> str:
    """The exception's own words where the job raised, the keeper's otherwise."""
    if failure is not None and end["cause"] in (Cause.ERROR, Cause.OUT_OF_MEMORY):
        return str(failure["message"])
    return str(end["reason"])


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

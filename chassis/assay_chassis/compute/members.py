"""The jobs that share one run: how they are written into it, and what the run says of each.
Pure: never talks to a backend; both the run's process and the service read and write these records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from assay_schemas.canonical import digest_of

from assay_chassis.compute.base import Cause, JobRun, RunState, RunStatus
from assay_chassis.compute.job import describe

KIND = "shared"
MEMBERS = "members"
Record = dict[str, Any]


def shared_run(runs: Sequence[JobRun], entrypoint: str) -> JobRun:
    """One run for all of these, with the resources and version of the first; equal members make an equal run."""
    deadlines = [run.deadline_s for run in runs]
    return JobRun(
        kind=KIND,
        job_key=digest_of(sorted(run.name for run in runs)),
        attempt=1,
        entrypoint=entrypoint,
        payload={MEMBERS: [run.model_dump(mode="json", exclude={"name"}) for run in runs]},
        resources=runs[0].resources,
        version=runs[0].version,
        deadline_s=None if None in deadlines else sum(deadline or 0.0 for deadline in deadlines),
        labels=runs[0].labels,
    )


def members_of(payload: Record) -> list[JobRun]:
    """The runs that a shared run stands for, from its payload."""
    return [JobRun.model_validate(member) for member in payload[MEMBERS]]


class MemberRecords:
    """Kept by the run's process: each member's progress and end, reported as one record after every change."""

    def __init__(self, report: Callable[[Record], None]) -> None:
        self._report = report
        self._records: dict[str, Record] = {}
        self._cpu_began: dict[str, float] = {}

    def started(self, member: JobRun) -> None:
        self._cpu_began[member.name] = time.process_time()
        self._records[member.name] = {"started_at": time.time(), "sequence": 0}
        self._tell()

    def progressed(self, member: JobRun, progress: Record) -> None:
        record = self._records[member.name]
        record.update(progress=progress, sequence=record["sequence"] + 1)
        self._tell()

    def succeeded(self, member: JobRun, outcome: Record) -> None:
        self._ended(member, RunState.SUCCEEDED, outcome=outcome)

    def failed(self, member: JobRun, error: Exception) -> None:
        self._ended(member, RunState.FAILED, cause=Cause.ERROR, failure=describe(error))

    def stopped(self, member: JobRun, cause: Cause, reason: str) -> None:
        """It was cancelled, or ran past its deadline."""
        state = RunState.CANCELLED if cause is Cause.CANCELLED else RunState.FAILED
        self._ended(member, state, cause=cause, reason=reason)

    def _ended(self, member: JobRun, state: RunState, **more: Any) -> None:
        """Members are done one after another, so the process's time since its start is a member's own."""
        now = time.process_time()
        end: Record = {"state": state, "ended_at": time.time(), "cpu_s": now - self._cpu_began.get(member.name, now)}
        self._records.setdefault(member.name, {"sequence": 0}).update(end, **more)
        self._tell()

    def _tell(self) -> None:
        # A copy: another thread may write it later, while these go on changing.
        self._report({MEMBERS: {name: dict(record) for name, record in self._records.items()}})


def member_status(shared: RunStatus, member: JobRun) -> RunStatus:
    """A member's own status: its end where it has one, else the shared run's, or that it waits for its turn."""
    record: Record = ((shared.progress or {}).get(MEMBERS) or {}).get(member.name) or {}
    known: Record = {
        "name": member.name,
        "run": member,
        "shares": shared.name,
        "progress": record.get("progress"),
        "progress_sequence": int(record.get("sequence", 0)),
        "outcome": record.get("outcome"),
        "cpu_s": record.get("cpu_s"),
        "started_at": _time(record.get("started_at")),
    }
    if "state" in record:
        return shared.model_copy(update={**known, **_end(record)})
    if shared.state is RunState.SUCCEEDED:
        reason = "the run that it shared ended without a word of it"
        return shared.model_copy(update={**known, "state": RunState.FAILED, "cause": Cause.ERROR, "reason": reason})
    if shared.state is RunState.RUNNING and not record:
        waiting = f"waits for its turn in a run of {len(shared.run.payload[MEMBERS])}"
        return shared.model_copy(update={**known, "state": RunState.QUEUED, "reason": waiting})
    return shared.model_copy(update=known)


def _end(record: Record) -> Record:
    failure: Record = record.get("failure") or {}
    cause = Cause(record["cause"]) if "cause" in record else None
    return {
        "state": RunState(record["state"]),
        "cause": Cause.OUT_OF_MEMORY if failure.get("out_of_memory") else cause,
        "reason": failure.get("message") or record.get("reason"),
        "error_class": failure.get("class"),
        "retryable": failure.get("retryable"),
        "ended_at": _time(record["ended_at"]),
    }


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

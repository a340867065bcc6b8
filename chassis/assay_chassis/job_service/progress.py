"""When progress of a run is worth an event, and what that event says.
Pure: is told the time, and publishes nothing itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay_schemas.events import JobProgressed, Phase
from assay_schemas.ids import JobKind

from assay_chassis.compute.base import RunState, RunStatus

SMALLEST_GAP_S = 0.5
HEARTBEAT_S = 5.0
LONGEST_HEARTBEAT_S = 30.0
"""A quarter of the lease that the scheduler gives unless told otherwise."""
HEARTBEATS_A_SECOND = 500
"""Of all runs together: from this on, the more live, the longer the time between two of one."""
PHASES: dict[RunState, Phase] = {RunState.QUEUED: "queued", RunState.STARTING: "starting"}


@dataclass
class Said:
    """What was last said of a run, and when (seconds of a monotonic clock)."""

    at: float
    state: RunState
    progress_sequence: int


def heartbeat_s(live: int) -> float:
    """Seconds between two signs of life of a run that has no news, where so many are live."""
    return min(max(HEARTBEAT_S, live / HEARTBEATS_A_SECOND), LONGEST_HEARTBEAT_S)


class ProgressPolicy:
    """At most two events a second of a run, and one every few seconds while it lives.

    `live` is how many runs live; whoever looks at them says so."""

    def __init__(self) -> None:
        self._said: dict[str, Said] = {}
        self.live = 0

    def due(self, status: RunStatus, now: float) -> bool:
        said = self._said.get(status.name)
        if said is None:
            return True
        changed = (status.state, status.progress_sequence) != (said.state, said.progress_sequence)
        return now - said.at >= (SMALLEST_GAP_S if changed else heartbeat_s(self.live))

    def last_said(self, status: RunStatus) -> float:
        """When something was last said of a run; of a new one, never."""
        said = self._said.get(status.name)
        return said.at if said is not None else -math.inf

    def said(self, status: RunStatus, now: float) -> None:
        self._said[status.name] = Said(now, status.state, status.progress_sequence)

    def forget(self, name: str) -> None:
        self._said.pop(name, None)


def progressed(kind: JobKind, status: RunStatus, at: datetime) -> JobProgressed:
    """The event of a run's progress. Its sequence is the time in milliseconds: it grows over restarts too."""
    record = status.progress or {}
    return JobProgressed(
        job_key=status.run.job_key,
        kind=kind,
        attempt=status.run.attempt,
        sequence=int(at.timestamp() * 1000),
        phase=PHASES.get(status.state) or _phase(record),
        at=at,
        step=_count(record.get("step")),
        total=_count(record.get("total")),
        message=str(status.reason or record.get("message") or "")[:500],
        eta_s=_number(record.get("eta_s")),
        metrics=_numbers(record.get("metrics")),
        shares=status.shares,
    )


def _phase(record: dict[str, Any]) -> Phase:
    return "finishing" if record.get("phase") == "finishing" else "running"


def _count(value: Any) -> int:
    """What a worker counts; one that miscounts must not silence all others."""
    return max(0, int(_number(value) or 0))


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _numbers(values: Any) -> dict[str, float]:
    if not isinstance(values, dict):
        return {}
    read = {str(name): _number(value) for name, value in values.items()}
    return {name: value for name, value in read.items() if value is not None}

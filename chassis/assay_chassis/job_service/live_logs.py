"""Shows the last lines of runs while they start and run: every few seconds, and only where there is something new.
Never fails a run or its watching for a log that could not be read or kept."""

from __future__ import annotations

import math
from collections.abc import Iterable

import structlog

from assay_chassis.clock import Clock
from assay_chassis.compute.base import ComputeBackend, RunState, RunStatus
from assay_chassis.job_service.records import JobRecords
from assay_chassis.retry import is_transient

EVERY_S = 10.0
SHOWN = (RunState.STARTING, RunState.RUNNING)
"""What keeps a run from starting is worth reading, too."""
LINES = 500
log = structlog.get_logger(__name__)


class LiveLogs:
    """The logs of all runs that start or run. Where something is away, all wait, else it is waited for once a run."""

    def __init__(self, backend: ComputeBackend, records: JobRecords, clock: Clock) -> None:
        self._backend = backend
        self._records = records
        self._clock = clock
        self._shown: dict[str, tuple[float, str]] = {}
        self._not_before = -math.inf

    async def show(self, runs: Iterable[RunStatus]) -> None:
        """Keep the last lines of those in the object store, unless that was done a moment ago."""
        for status in runs:
            now = self._clock.monotonic()
            at, before = self._shown.get(status.name, (-math.inf, ""))
            if now < self._not_before or status.state not in SHOWN or now - at < EVERY_S:
                continue
            self._shown[status.name] = (now, before)
            try:
                self._shown[status.name] = (now, await self._kept(status, before))
            except Exception as error:
                log.info("the log of a run could not be shown yet", run=status.name, error=repr(error))
                if is_transient(error):
                    self._not_before = self._clock.monotonic() + EVERY_S

    async def _kept(self, status: RunStatus, before: str) -> str:
        text = await self._backend.logs(status.name, tail=LINES)
        if text != before:
            await self._records.write_log(status.run.job_key, status.run.attempt, text, live=True)
        return text

    def forget(self, name: str) -> None:
        self._shown.pop(name, None)

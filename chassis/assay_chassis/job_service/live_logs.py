"""Shows the last lines of runs while they run: every few seconds, and only where there is something new.
Never fails a run or its watching for a log that could not be read or kept."""

from __future__ import annotations

import structlog

from assay_chassis.clock import Clock
from assay_chassis.compute.base import ComputeBackend, RunState, RunStatus
from assay_chassis.job_service.records import JobRecords

EVERY_S = 10.0
LINES = 500
log = structlog.get_logger(__name__)


class LiveLogs:
    def __init__(self, backend: ComputeBackend, records: JobRecords, clock: Clock) -> None:
        self._backend = backend
        self._records = records
        self._clock = clock
        self._shown: dict[str, tuple[float, str]] = {}

    async def show(self, status: RunStatus) -> None:
        """Keep a running run's last lines in the object store, unless that was done a moment ago."""
        now = self._clock.monotonic()
        at, before = self._shown.get(status.name, (now - EVERY_S, ""))
        if status.state is not RunState.RUNNING or now - at < EVERY_S:
            return
        self._shown[status.name] = (now, before)
        try:
            text = await self._backend.logs(status.name, tail=LINES)
            if text != before:
                await self._records.write_log(status.run.job_key, status.run.attempt, text, live=True)
                self._shown[status.name] = (now, text)
        except Exception as error:
            log.info("the log of a run could not be shown yet", run=status.name, error=repr(error))

    def forget(self, name: str) -> None:
        self._shown.pop(name, None)

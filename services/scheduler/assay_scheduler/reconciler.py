"""Notices what no event tells of: attempts that have gone silent.

Never counts silence while the scheduler itself is behind in listening, and never by this machine's own clock.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from assay_chassis import telemetry
from assay_chassis.app import ServiceApp

from assay_scheduler.commander import Commander
from assay_scheduler.settings import SchedulerSettings
from assay_scheduler.states import LeaseLapsed
from assay_scheduler.store import QUERIES

EVERY_S = 5.0


class Reconciler:
    def __init__(
        self,
        app: ServiceApp,
        commander: Commander,
        settings: SchedulerSettings,
        unwritten_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`unwritten_s` tells for how long a sign of life that was read has not been written."""
        self._app = app
        self._unwritten_s = unwritten_s
        self._commander = commander
        self._lease = timedelta(seconds=settings.lease_s)
        self._start_lease = timedelta(seconds=settings.start_lease_s)
        self._most_lag_s = settings.lease_s / 4
        self._started = app.clock.monotonic()

    async def run(self) -> None:
        self._started = self._app.clock.monotonic()
        while True:
            await self._app.clock.sleep(EVERY_S)
            if self.hears():
                await self.expire_leases()

    def hears(self) -> bool:
        """Progress has been read and written up to now, and for a whole lease since the start."""
        up_s = self._app.clock.monotonic() - self._started
        behind_s = max(self._app.consumer_lag("job.progressed"), self._unwritten_s())
        return up_s > self._lease.total_seconds() and behind_s < self._most_lag_s

    async def expire_leases(self) -> int:
        """Lost attempts are asked for again; how many there were."""
        async with self._app.database.connection() as connection:
            silent = await connection.fetch(QUERIES.silent_jobs, self._lease, self._start_lease)
        for row in silent:
            telemetry.count("leases_lapsed")
            self._app.log.warning("lease lapsed", job_key=row["key"], attempt=row["attempt"])
            lapsed = LeaseLapsed(row["key"], row["attempt"], row["now"], self._lease, self._start_lease)
            async with self._app.transaction() as tx:
                await self._commander.apply(tx, lapsed)
        return len(silent)

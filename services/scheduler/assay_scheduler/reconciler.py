"""Notices what no event tells of: attempts that have gone silent, and cancels whose request never came.

Never counts silence while the scheduler is behind in listening, by a clock that has just jumped, or by its machine's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from assay_chassis import telemetry
from assay_chassis.app import ServiceApp
from assay_chassis.relay import KEEP_INBOX

from assay_scheduler.commander import Commander
from assay_scheduler.progress import FLUSH_EVERY_S
from assay_scheduler.settings import SchedulerSettings
from assay_scheduler.states import LeaseLapsed
from assay_scheduler.store import QUERIES

EVERY_S = 5.0
FORGET_EVERY_S = 600.0
LEAST_JUMP_S = 1.0


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
        self._most_unwritten_s = min(self._most_lag_s, 2 * FLUSH_EVERY_S)
        self._most_jump_s = max(LEAST_JUMP_S, self._most_lag_s)
        self._clocks: tuple[datetime, float] | None = None
        self._started = self._forgot_at = app.clock.monotonic()

    async def run(self) -> None:
        self._started = self._app.clock.monotonic()
        while True:
            asleep_since = self._app.clock.monotonic()
            await self._app.clock.sleep(EVERY_S)
            self._notice_standstill(asleep_since)
            async with self._app.database.connection() as connection:
                await self._goes_evenly(connection)
            if self.hears():
                await self.expire_leases()
            if self._app.clock.monotonic() - self._forgot_at >= FORGET_EVERY_S:
                self._forgot_at = self._app.clock.monotonic()
                await self.forget_cancels()

    async def forget_cancels(self) -> None:
        """Delete cancels older than any request a topic still keeps; a request that came took its cancel over."""
        async with self._app.database.connection() as connection:
            await connection.execute(QUERIES.forget_cancels, self._app.clock.now() - KEEP_INBOX)

    def _notice_standstill(self, asleep_since: float) -> None:
        """A process that stood still is as one that has just begun: who listened for it meanwhile may have waited for
        locks that it held, with signs of life still to be written."""
        now = self._app.clock.monotonic()
        if now - asleep_since > EVERY_S + self._most_lag_s:
            self._started = now

    async def _goes_evenly(self, connection: Any) -> bool:
        """Whether the database's clock, by which leases go, has not jumped since the last look. Where it has, a sign of
        life of a second ago may be dated long before: a whole lease is listened for first."""
        told, now = await connection.fetchval(QUERIES.time_of_day), self._app.clock.monotonic()
        before, self._clocks = self._clocks or (told, now), (told, now)
        jump_s = (told - before[0]).total_seconds() - (now - before[1])
        if abs(jump_s) <= self._most_jump_s:
            return True
        self._started = now
        self._app.log.warning("the database's clock jumped: no lease lapses for a while", by_s=round(jump_s, 1))
        return False

    def hears(self) -> bool:
        """Progress has been read and written up to now, and for a whole lease since the start or a standstill."""
        up_s = self._app.clock.monotonic() - self._started
        reads = self._app.consumer_lag("job.progressed") < self._most_lag_s
        return up_s > self._lease.total_seconds() and reads and self._writes()

    def _writes(self) -> bool:
        """What was read is written: it may be the first word of many attempts after nobody had listened for a while."""
        return self._unwritten_s() < self._most_unwritten_s

    async def expire_leases(self) -> int:
        """Lost attempts are asked for again; how many were silent.

        Nobody is judged more than a moment after this process was last seen to listen."""
        listened_at = self._app.clock.monotonic()
        async with self._app.database.connection() as connection:
            silent = await connection.fetch(QUERIES.silent_jobs, self._lease, self._start_lease)
            if silent and not await self._goes_evenly(connection):
                return 0
        for row in silent:
            lapsed = LeaseLapsed(row["key"], row["attempt"], row["now"], self._lease, self._start_lease)
            async with self._app.transaction() as tx:
                await tx.connection.fetch(QUERIES.lock_family, [row["key"]])
                now = self._app.clock.monotonic()
                if now - listened_at > self._most_unwritten_s or not self._writes():
                    # Whoever had the locks kept signs of life from being written, here or by another scheduler; or this
                    # process stood still and has not heard what came meanwhile.
                    self._notice_standstill(listened_at)
                    break
                listened_at = now
                telemetry.count("leases_lapsed")
                self._app.log.warning("lease lapsed", job_key=row["key"], attempt=row["attempt"])
                await self._commander.apply(tx, lapsed)
        return len(silent)

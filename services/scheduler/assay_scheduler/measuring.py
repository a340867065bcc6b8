"""What stands and waits in the scheduler, as metrics: jobs by status, how long they queue, requests not taken in.

Only looks; a number that cannot be had is left as it was.
"""

from __future__ import annotations

import contextlib

from assay_chassis import telemetry
from assay_chassis.app import ServiceApp
from assay_chassis.errors import Transient
from assay_schemas.experiments import PRIORITIES

from assay_scheduler.store import QUERIES

EVERY_S = 10.0
STATUSES = ("waiting", "ready", "requested", "running", "cancelling")
STAGES = ("requested", "settling")


class Measuring:
    """Every replica measures the same; a dashboard takes the greatest."""

    def __init__(self, app: ServiceApp) -> None:
        self._app = app

    async def run(self) -> None:
        while True:
            with contextlib.suppress(Transient):
                await self.look()
            await self._app.clock.sleep(EVERY_S)

    async def look(self) -> None:
        """What is in no row is 0: a gauge would keep its last value for ever."""
        async with self._app.database.connection() as connection:
            jobs = await connection.fetch(QUERIES.measure_jobs, self._app.clock.now())
            experiments = await connection.fetch(QUERIES.measure_experiments, self._app.clock.now())
        for status in STATUSES:
            count = sum(row["jobs"] for row in jobs if row["status"] == status)
            telemetry.gauge("jobs", count, status=status)
        for priority in PRIORITIES:
            waits = [row["waited_s"] for row in jobs if (row["status"], row["priority"]) == ("ready", priority)]
            telemetry.gauge("queue_wait_seconds", max(waits, default=0.0), priority=priority)
        for stage in STAGES:
            waits = [row["waited_s"] for row in experiments if row["status"] == stage]
            telemetry.gauge("experiment_wait_seconds", max(waits, default=0.0), stage=stage)

"""The scheduler's main loop: admit what fits, end what has ended, wait for the bell.

Carries nothing over from one round to the next.
"""

from __future__ import annotations

import asyncio
from typing import Any

from assay_chassis.app import ServiceApp

from assay_scheduler.admission import Admitter
from assay_scheduler.bell import CHANNEL, REQUEST, Bell
from assay_scheduler.settlement import Settlement
from assay_scheduler.store import QUERIES

POLL_S = 1.0
GATHER_S = 0.005  # what rings in quick succession is answered in one round


class WorkLoop:
    def __init__(self, app: ServiceApp, admitter: Admitter, settlement: Settlement, bell: Bell) -> None:
        self._app = app
        self._admitter = admitter
        self._settlement = settlement
        self._bell = bell

    async def run(self) -> None:
        with self._bell.listening() as rung:
            while True:
                await rung.wait(await self.once())
                await self._app.clock.sleep(GATHER_S)

    async def once(self) -> float:
        """Does all that is due; seconds until something will be."""
        while True:
            now = self._app.clock.now()
            async with self._app.database.connection() as connection:
                due = await connection.fetchrow(QUERIES.what_is_due, now)
            if due["ready"]:
                async with self._app.transaction() as tx:
                    await self._admitter.run(tx, now)
            if not due["settling"] or not await self._settlement.settle_one():
                break
        if due["next_retry"] is None:
            return POLL_S
        wait_s: float = (due["next_retry"] - now).total_seconds()
        return min(POLL_S, max(0.01, wait_s))


class Listening:
    """Rings the bell at each NOTIFY, on a connection of its own."""

    def __init__(self, app: ServiceApp, bell: Bell) -> None:
        self._app = app
        self._bell = bell

    async def run(self) -> None:
        connection = await self._app.database.dedicated()
        gone = asyncio.Event()
        try:
            connection.add_termination_listener(lambda *_: gone.set())
            await connection.add_listener(CHANNEL, self._heard)
            self._bell.ring(REQUEST)
            await gone.wait()
            raise ConnectionError("the listening connection to PostgreSQL was closed; it is opened again")
        finally:
            await connection.close(timeout=1.0)

    def _heard(self, _connection: Any, _pid: int, _channel: str, news: str) -> None:
        self._bell.ring(news)

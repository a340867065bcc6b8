"""Replicas join and leave while others handle events: partitions move in mid-handling, and each event counts once."""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from assay_chassis.app import ServiceApp
from assay_chassis.outbox import Transaction
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chassis"))
from test_faults import IN, OUT, Reader, event, times_handled, until_ready

pytestmark = [pytest.mark.real, pytest.mark.slow]
EVENTS = 120
LONGEST_S, PATIENCE_S = 1.2, 0.4
"""A handler may take three times as long as a replica waits for it when its partition is taken away."""


class Replica:
    """One process of a service, whose handler counts how often it begins with each event and how often it ends."""

    def __init__(self, settings: ServiceSettings, begun: Counter[int], ended: Counter[int]) -> None:
        self.app = ServiceApp("scheduler", settings, migrations="assay_chassis")
        self._begun, self._ended = begun, ended
        self._takes = itertools.cycle([0.0, LONGEST_S, 0.1])
        self.app.on(IN, self._handle)
        self.task = asyncio.create_task(self.app.run())

    async def _handle(self, given: Event, tx: Transaction) -> None:
        self._begun[given.data["n"]] += 1
        await tx.connection.execute("INSERT INTO seen VALUES ($1)", given.data["n"])
        await asyncio.sleep(next(self._takes))
        await tx.publish(given.model_copy(update={"type": OUT, "id": f"out-{given.id}"}))
        self._ended[given.data["n"]] += 1

    async def stop(self) -> None:
        self.app.stop()
        await asyncio.wait_for(self.task, 60)


@asynccontextmanager
async def replicas(settings: ServiceSettings) -> AsyncIterator[tuple[list[Replica], Counter[int], Counter[int]]]:
    found: list[Replica] = []
    try:
        yield found, Counter(), Counter()
    finally:
        await asyncio.gather(*(one.stop() for one in found))


@pytest.mark.timeout(400)
async def test_events_are_applied_once_while_partitions_move_in_mid_handling(kafka: str, database_url: str) -> None:
    settings = ServiceSettings(
        kafka_bootstrap_servers=kafka, database_url=database_url, shutdown_timeout_s=PATIENCE_S, database_connections=4
    )
    reader = Reader(settings)
    await reader.broker.start()
    async with replicas(settings) as (found, begun, ended):
        found.append(Replica(settings, begun, ended))
        await until_ready(found[0].app)
        async with found[0].app.database.connection() as connection:
            await connection.execute("CREATE TABLE seen (n integer)")
        await reader.broker.publish(
            *(event(number).model_copy(update={"key": f"k{number % 12}"}) for number in range(EVENTS))
        )
        for _ in range(2):  # two join, one after another
            await asyncio.sleep(2)
            found.append(Replica(settings, begun, ended))
            await until_ready(found[-1].app)
        await asyncio.sleep(2)
        await found.pop(0).stop()  # the first leaves
        await reader.until(EVENTS, timeout_s=240)
        assert await times_handled(found[-1].app) == dict.fromkeys(range(EVENTS), 1)
        assert begun.total() > ended.total(), "a handler was interrupted"
        assert sorted(ended) == list(range(EVENTS))
    await reader.broker.stop()

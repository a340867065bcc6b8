"""A service whose broker or database is killed: nothing is lost, nothing is done twice, and it goes on by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from assay_chassis.app import ServiceApp
from assay_chassis.kafka import KafkaBroker
from assay_chassis.outbox import Transaction
from assay_chassis.settings import ServiceSettings
from assay_local import testing
from assay_local.component import running
from assay_local.kafka import KafkaServer
from assay_local.postgres import PostgresServer
from assay_schemas.envelope import Event, Record, decode

pytestmark = [pytest.mark.real, pytest.mark.slow]
IN, OUT = "eval.completed", "experiment.completed"


def event(number: int) -> Event:
    return Event(id=f"e{number}", source="/test", type=IN, time="2026-01-01T00:00:00Z", data={"n": number}, key="k")


def service(settings: ServiceSettings) -> ServiceApp:
    """Counts each event in a table and says so in another event."""
    app = ServiceApp("scheduler", settings, migrations="assay_chassis")

    async def handler(given: Event, tx: Transaction) -> None:
        await tx.connection.execute("CREATE TABLE IF NOT EXISTS seen (n integer)")
        await tx.connection.execute("INSERT INTO seen VALUES ($1)", given.data["n"])
        await tx.publish(given.model_copy(update={"type": OUT, "id": f"out-{given.id}"}))

    app.on(IN, handler)
    return app


async def times_handled(app: ServiceApp) -> dict[int, int]:
    """How often each event's number was counted."""
    async with app.database.connection() as connection:
        rows = await connection.fetch("SELECT n, count(*) AS times FROM seen GROUP BY n")
    return {row["n"]: row["times"] for row in rows}


@asynccontextmanager
async def started(app: ServiceApp) -> AsyncIterator[None]:
    task = asyncio.create_task(app.run())
    try:
        await until_ready(app)
        yield
    finally:
        app.stop()
        await asyncio.wait_for(task, timeout=40)


async def until_ready(app: ServiceApp, timeout_s: float = 60) -> None:
    async with asyncio.timeout(timeout_s):
        while await app.problems():
            await asyncio.sleep(0.05)


class Reader:
    """Collects the ids of a topic's events, first time only, on a client of its own."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.ids: list[str] = []
        self.broker = KafkaBroker(settings)
        self.broker.subscribe([OUT], "reader", self._take)

    async def _take(self, record: Record) -> None:
        found = decode(record).id
        if found not in self.ids:
            self.ids.append(found)

    async def until(self, count: int, timeout_s: float = 60) -> None:
        async with asyncio.timeout(timeout_s):
            while len(self.ids) < count:
                await asyncio.sleep(0.05)


async def publish_patiently(broker: KafkaBroker, *events: Event) -> None:
    from assay_chassis.errors import BrokerUnavailable

    while True:
        try:
            return await broker.publish(*events)
        except BrokerUnavailable:
            await asyncio.sleep(0.2)


@pytest.fixture
def parts(tmp_path: Path) -> tuple[KafkaServer, PostgresServer]:
    return KafkaServer(tmp_path / "kafka"), PostgresServer(tmp_path / "postgres", settings={"fsync": "off"})


@pytest.mark.parametrize("victim", ["kafka", "postgres", "both"])
async def test_a_killed_part_comes_back_and_every_event_counts_once(
    parts: tuple[KafkaServer, PostgresServer], victim: str
) -> None:
    kafka, postgres = parts
    with running(kafka) as kafka_process, running(postgres) as postgres_process:
        testing.renew_topics(kafka.bootstrap_servers)
        settings = ServiceSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url)
        victims = {"kafka": [kafka_process], "postgres": [postgres_process]}.get(
            victim, [kafka_process, postgres_process]
        )
        app, reader = service(settings), Reader(settings)
        await reader.broker.start()
        async with started(app):
            await reader.broker.publish(*(event(number) for number in range(50)))
            for process in victims:
                await asyncio.to_thread(process.kill)
            sending = asyncio.create_task(
                publish_patiently(reader.broker, *(event(number) for number in range(50, 100)))
            )
            async with asyncio.timeout(15):
                while not await app.problems():
                    await asyncio.sleep(0.1)
            for process in victims:
                await asyncio.to_thread(process.start)
            await sending
            await reader.until(100)
            assert await times_handled(app) == dict.fromkeys(range(100), 1)
            await until_ready(app)
        await reader.broker.stop()


async def test_a_service_started_before_its_parts_waits_for_them(parts: tuple[KafkaServer, PostgresServer]) -> None:
    kafka, postgres = parts
    for part in parts:
        part.prepare()
    settings = ServiceSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url)
    app = service(settings)
    task = asyncio.create_task(app.run())
    await until(lambda: app.http_port != 0)
    await asyncio.sleep(1)
    assert "database" in (await app.problems())[0]
    with running(postgres):
        async with asyncio.timeout(20):
            while "broker" not in (await app.problems())[0]:
                await asyncio.sleep(0.05)
        with running(kafka):
            testing.renew_topics(kafka.bootstrap_servers)
            await until_ready(app)
            app.stop()
            await asyncio.wait_for(task, timeout=30)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)

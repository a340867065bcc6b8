"""A whole service, with a broker in memory and a real database where it is transactional."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from assay_chassis.app import ServiceApp
from assay_chassis.errors import Refused, Transient
from assay_chassis.memory import InMemoryBroker
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event

TOPIC = "eval.completed"


def event(number: int, topic: str = TOPIC) -> Event:
    return Event(id=f"e{number}", source="/test", type=topic, time="2026-01-01T00:00:00Z", data={"n": number}, key="k")


@asynccontextmanager
async def running(app: ServiceApp) -> AsyncIterator[httpx.AsyncClient]:
    task = asyncio.create_task(app.run())
    try:
        async with asyncio.timeout(20):
            while app.http_port == 0 and not task.done():
                await asyncio.sleep(0.01)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.http_port}") as client:
                while not task.done() and (await client.get("/readyz")).status_code != 200:
                    await asyncio.sleep(0.02)
                yield client
    finally:
        app.stop()
        await asyncio.wait_for(task, timeout=20)


async def test_a_stateless_service_handles_publishes_and_stops() -> None:
    broker = InMemoryBroker()
    app = ServiceApp("evaluator", ServiceSettings(), broker=broker)

    async def handler(given: Event) -> None:
        await app.publisher.publish(event(given.data["n"] + 1, "report.published"))

    app.on(TOPIC, handler)
    async with running(app) as client:
        await broker.publish(event(1))
        await broker.settled()
        assert (await client.get("/healthz")).json() == {"service": "evaluator", "status": "alive"}
        assert "assay_events_consumed_total" in (await client.get("/metrics")).text
    assert [found.id for found in broker.events("report.published")] == ["e2"]


@pytest.mark.real
async def test_state_inbox_and_outbox_are_written_together_and_once(database_url: str) -> None:
    broker = InMemoryBroker()
    app = ServiceApp("scheduler", ServiceSettings(database_url=database_url), broker=broker, migrations="assay_chassis")
    seen: list[str] = []

    async def handler(given: Event, tx) -> None:
        seen.append(given.id)
        await tx.publish(event(given.data["n"] + 100, "experiment.completed"))
        if given.data["n"] == 2:
            raise Refused("two is impossible")
        if given.data["n"] == 3 and seen.count("e3") == 1:
            raise Transient("come again")

    app.on(TOPIC, handler)
    async with running(app):
        await broker.publish(event(1), event(1), event(2), event(3))
        await broker.settled()
        async with asyncio.timeout(5):
            while len(broker.events("experiment.completed")) < 2:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert app.consumer_lag(TOPIC) == 0
    assert seen == ["e1", "e2", "e3", "e3"]
    assert [found.id for found in broker.events("experiment.completed")] == ["e101", "e103"]
    (letter,) = broker.letters(TOPIC)
    assert dict(letter.headers)["assay_reason"] == b"two is impossible"

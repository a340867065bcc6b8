"""A whole service, with a broker in memory and a real database where it is transactional."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from assay_chassis.app import ServiceApp
from assay_chassis.errors import Misconfigured, Refused, Transient
from assay_chassis.memory import InMemoryBroker
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event
from fastapi import FastAPI

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


async def test_an_unready_service_says_why_and_still_lives() -> None:
    broker = InMemoryBroker()
    broker.log.available = False
    app = ServiceApp("evaluator", ServiceSettings(), broker=broker)
    task = asyncio.create_task(app.run())
    async with asyncio.timeout(10):
        while not any("unavailable" in problem for problem in await app.problems()):
            await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.http_port}") as client:
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "unavailable" in answer.json()["reasons"][0]
    app.stop()
    await asyncio.wait_for(task, timeout=10)


async def test_a_mounted_application_is_served_beside_health_and_in_its_documentation() -> None:
    api = FastAPI()

    @api.get("/experiments")
    async def experiments() -> list[str]:
        return ["one"]

    @api.get("/{anything:path}")
    async def page(anything: str) -> str:
        return anything

    app = ServiceApp("scheduler", ServiceSettings(), broker=InMemoryBroker())
    app.mount(api)
    async with running(app) as client:
        assert (await client.get("/experiments")).json() == ["one"]
        assert (await client.get("/readyz")).json()["ready"] is True
        assert {"/experiments", "/healthz", "/readyz", "/metrics"} <= (await client.get("/openapi.json")).json()[
            "paths"
        ].keys()


async def test_background_work_starts_with_the_service_and_ends_with_it() -> None:
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    app = ServiceApp("evaluator", ServiceSettings(), broker=InMemoryBroker())
    app.background("work", work)
    async with running(app):
        assert not ended.is_set()
    assert ended.is_set()


def test_a_broker_client_beyond_repair_ends_the_process_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assay_chassis.app.WATCH_EVERY_S", 0.05)

    async def run() -> None:
        broker = InMemoryBroker()
        broker.failure = lambda: "the consumer is stuck"
        await ServiceApp("evaluator", ServiceSettings(), broker=broker).run()

    with pytest.raises(SystemExit) as caught:
        asyncio.run(run())
    assert caught.value.code == 1


def test_a_handler_of_the_wrong_shape_is_refused_when_it_is_registered() -> None:
    async def handler(given: Event, tx: object) -> None: ...

    app = ServiceApp("evaluator", ServiceSettings(), broker=InMemoryBroker())
    with pytest.raises(Misconfigured, match=r"handler\(event\)"):
        app.on(TOPIC, handler)


def test_a_service_without_migrations_has_no_database() -> None:
    app = ServiceApp("evaluator", ServiceSettings(), broker=InMemoryBroker())
    with pytest.raises(Misconfigured, match="migrations"):
        _ = app.database

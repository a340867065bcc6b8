"""A whole reporter for tests, on real PostgreSQL and an in-memory broker, with a client for its pages."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
from assay_chassis.memory import InMemoryBroker, MemoryLog
from assay_chassis.object_store import open_store
from assay_chassis.publishing import make_event
from assay_reporter.app import make_app
from assay_reporter.settings import ReporterSettings
from assay_schemas.envelope import decode
from assay_schemas.events import ExperimentAccepted, ExperimentCompleted

ID = "00000000-0000-0000-0000-000000000000"
AT = datetime(2026, 1, 2, tzinfo=UTC)


def renamed(made, number: int, name: str):
    """The same evidence as another experiment's."""
    identity = f"{number:08d}{ID[8:]}"
    spec = made.plan.spec.model_copy(update={"name": name})
    plan = made.plan.model_copy(update={"experiment_id": identity, "spec": spec})
    return replace(made, plan=plan, result=made.result.model_copy(update={"experiment_id": identity}))


class Running:
    """A running reporter, the log it reads, and a client for its pages."""

    def __init__(self, app, log: MemoryLog, client: httpx.AsyncClient, broker: InMemoryBroker) -> None:
        self.app, self.log, self.client, self.broker = app, log, client, broker

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")

    async def publish(self, topic: str, payload, key: str = ID, **options) -> None:
        await self.broker.publish(make_event(topic, payload, key=key, source="test", **options))

    async def published_reports(self) -> list[dict]:
        return [decode(record).data for record in self.log.records("report.published")]

    async def until(self, condition, seconds: float = 60.0):
        async with asyncio.timeout(seconds):
            while not (found := await condition()):
                await asyncio.sleep(0.05)
        return found

    async def completed(self, made, store_evidence) -> None:
        """The experiment of this evidence, accepted and ended."""
        plan, store = made.plan, open_store(self.app.settings)
        result = await store_evidence(made, store)
        place = await store.put_bytes(f"experiments/{plan.experiment_id}/plan.json", plan.model_dump_json().encode())
        common = {"experiment_id": plan.experiment_id, "name": plan.spec.name, "owner": "me"}
        accepted = ExperimentAccepted(**common, plan=place, jobs=38, reused=0)
        done = ExperimentCompleted(**common, outcome="succeeded", result=result)
        when = AT + timedelta(hours=int(plan.experiment_id[:8]))
        await self.publish("experiment.accepted", accepted, plan.experiment_id, time=when)
        await self.publish("experiment.completed", done, plan.experiment_id, time=when)


@asynccontextmanager
async def reporting(folder, database_url, log: MemoryLog | None = None):
    """A reporter that is ready."""
    log = log or MemoryLog()
    settings = ReporterSettings(object_store=f"file://{folder}/store", database_url=database_url)
    app = make_app(settings, InMemoryBroker(log))
    task = asyncio.create_task(app.run())
    broker = InMemoryBroker(log)
    await broker.start()
    async with asyncio.timeout(30):
        while await app.problems():
            await asyncio.sleep(0.05)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{app.http_port}", timeout=30) as client:
        yield Running(app, log, client, broker)
    app.stop()
    await asyncio.wait_for(task, 20)
    await broker.stop()

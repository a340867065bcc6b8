"""A whole scheduler on real PostgreSQL, with a broker in memory, a store of files and stand-in workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from assay_chassis.memory import InMemoryBroker, MemoryLog
from assay_chassis.object_store import FileStore
from assay_scheduler.app import Parts, build
from assay_scheduler.settings import SchedulerSettings
from assay_schemas.envelope import Event
from beside import load_beside

cases = load_beside("contract_cases", Path(__file__).parents[1] / "contract" / "cases.py")
stand_ins = load_beside("scheduler_stand_ins", Path(__file__).parent / "stand_ins.py")
for name in ("worlds", "plans"):
    load_beside(f"scheduler_{name}", Path(__file__).parent / f"{name}.py")


@dataclass
class System:
    """A running scheduler and what surrounds it."""

    parts: Parts
    http: httpx.AsyncClient
    broker: InMemoryBroker
    workers: Any

    def events(self, topic: str) -> list[Event]:
        return self.broker.events(topic)

    async def until(self, condition: Callable[[], Any], timeout_s: float = 15.0) -> Any:
        return await stand_ins.until(condition, timeout_s)

    async def completed(self, experiment_id: str) -> Event:
        """The experiment's end."""
        ended = lambda: [e for e in self.events("experiment.completed") if e.key == experiment_id]  # noqa: E731
        return (await self.until(ended))[0]

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        async with self.parts.app.database.connection() as connection:
            return list(await connection.fetch(query, *arguments))


SystemFactory = Callable[..., AbstractAsyncContextManager[System]]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with DATA and MODELS that the contract's cases name."""
    return cases.write_files(tmp_path_factory.mktemp("contract"))


@pytest.fixture
def system(database_url: str, tmp_path: Path, files: Path) -> SystemFactory:
    """Starts schedulers on one database, one store and one log; a second one finds what the first left."""
    log = MemoryLog()

    @asynccontextmanager
    async def start(**overrides: Any) -> AsyncIterator[System]:
        answer = overrides.pop("answer", stand_ins.succeeded)
        values = {
            "database_url": database_url,
            "object_store": (tmp_path / "store").as_uri(),
            "state_dir": tmp_path / "state",
            "readable_roots": str(files),
            "capacity_cpus": 4,
            "capacity_memory_gib": 64,
            "retry_backoff_s": 0.05,
            "hub_offline": True,
            **overrides,
        }
        broker = InMemoryBroker(log)
        parts = build(SchedulerSettings(**values), broker=broker, store=FileStore(tmp_path / "store"))
        workers = stand_ins.Workers(log, answer)
        await workers.broker.start()
        task = asyncio.create_task(parts.app.run())
        try:
            async with httpx.AsyncClient(timeout=30) as client:
                await _ready(client, parts, task)
                yield System(parts, client, broker, workers)
        finally:
            parts.app.stop()
            await asyncio.wait_for(task, timeout=20)
            await workers.broker.stop()

    return start


async def _ready(client: httpx.AsyncClient, parts: Parts, task: asyncio.Task[None]) -> None:
    """Returns when the scheduler is ready, and the client knows its port."""
    async with asyncio.timeout(20):
        while parts.app.http_port == 0 and not task.done():
            await asyncio.sleep(0.01)
        client.base_url = httpx.URL(f"http://127.0.0.1:{parts.app.http_port}")
        while not task.done() and (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.02)

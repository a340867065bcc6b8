"""When silence counts: not before a whole lease of listening, which a process that stood still begins anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from assay_chassis import telemetry
from assay_chassis.clock import ManualClock
from assay_scheduler.reconciler import EVERY_S, Reconciler
from assay_scheduler.store import QUERIES

LEASE_S = 20.0


class SleepyClock:
    """Each sleep takes as long as is said here, whatever was asked; after the last nobody wakes any more."""

    def __init__(self, *seconds: float) -> None:
        self._seconds = list(seconds)
        self._now = 0.0
        self.over = asyncio.Event()

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, _: float) -> None:
        if not self._seconds:
            self.over.set()
            await asyncio.Event().wait()
        self._now += self._seconds.pop(0)


async def test_a_process_that_stood_still_listens_for_a_lease_before_it_judges_again(monkeypatch: Any) -> None:
    clock, judged = SleepyClock(*[EVERY_S] * 5, 65.0, *[EVERY_S] * 5), list[float]()
    app: Any = SimpleNamespace(clock=clock, consumer_lag=lambda topic: 0.0)
    settings: Any = SimpleNamespace(lease_s=LEASE_S, start_lease_s=LEASE_S)

    async def judge(_: Reconciler) -> int:
        judged.append(clock.monotonic())
        return 0

    monkeypatch.setattr(Reconciler, "expire_leases", judge)
    running = asyncio.create_task(Reconciler(app, None, settings).run())  # type: ignore[arg-type]
    await clock.over.wait()
    running.cancel()
    assert judged == [25.0, 115.0]


@pytest.mark.parametrize(("locks_take_s", "judged"), [(0.1, ["k"]), (1.5, [])])
async def test_who_waited_for_the_locks_judges_nobody_since_who_listens_may_have_waited_too(
    locks_take_s: float, judged: list[str]
) -> None:
    clock, lost = ManualClock(), list[str]()

    async def fetch(statement: str, *_: Any) -> list[dict[str, Any]]:
        if statement == QUERIES.silent_jobs:
            return [{"key": "k", "attempt": 1, "now": datetime.now(UTC)}]
        await clock.advance(locks_take_s)
        return []

    @asynccontextmanager
    async def connected() -> AsyncIterator[Any]:
        yield SimpleNamespace(fetch=fetch, connection=SimpleNamespace(fetch=fetch))

    async def apply(_: Any, lapsed: Any) -> None:
        lost.append(lapsed.job_key)

    database, log = SimpleNamespace(connection=connected), telemetry.logger("test")
    app: Any = SimpleNamespace(clock=clock, database=database, transaction=connected, log=log)
    settings: Any = SimpleNamespace(lease_s=LEASE_S, start_lease_s=LEASE_S)
    await Reconciler(app, SimpleNamespace(apply=apply), settings).expire_leases()  # type: ignore[arg-type]
    assert lost == judged

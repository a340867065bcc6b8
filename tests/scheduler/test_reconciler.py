"""When silence counts: not before a whole lease of listening, which a process that stood still begins anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from assay_chassis import telemetry
from assay_chassis.clock import ManualClock
from assay_scheduler.reconciler import EVERY_S, Reconciler
from assay_scheduler.store import QUERIES

LEASE_S = 20.0
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("sleeps", "jump_s", "looked"),
    [
        ((*[EVERY_S] * 5, 65.0, *[EVERY_S] * 5), 0.0, [25.0, 115.0]),
        ([EVERY_S] * 11, 600.0, [25.0, 55.0]),
        ([EVERY_S] * 11, -600.0, [25.0, 55.0]),
        ([EVERY_S] * 7, 2.0, [25.0, 30.0, 35.0]),
    ],
    ids=["the process stood still", "the clock went forward", "the clock went back", "the clock was put right"],
)
async def test_after_a_standstill_or_a_jump_of_the_databases_clock_a_lease_is_listened_for(
    monkeypatch: Any, sleeps: Sequence[float], jump_s: float, looked: list[float]
) -> None:
    clock, judged = SleepyClock(*sleeps), list[float]()

    async def fetchval(statement: str) -> datetime:
        assert statement == QUERIES.time_of_day
        now = clock.monotonic()
        return BEGAN + timedelta(seconds=now + (jump_s if now >= 30.0 else 0.0))

    @asynccontextmanager
    async def connected() -> AsyncIterator[Any]:
        yield SimpleNamespace(fetchval=fetchval)

    database, log = SimpleNamespace(connection=connected), telemetry.logger("test")
    app: Any = SimpleNamespace(clock=clock, consumer_lag=lambda topic: 0.0, database=database, log=log)
    settings: Any = SimpleNamespace(lease_s=LEASE_S, start_lease_s=LEASE_S)

    async def judge(_: Reconciler) -> int:
        judged.append(clock.monotonic())
        return 0

    monkeypatch.setattr(Reconciler, "expire_leases", judge)
    running = asyncio.create_task(Reconciler(app, None, settings).run())  # type: ignore[arg-type]
    await clock.over.wait()
    running.cancel()
    assert judged == looked


async def test_what_was_found_silent_by_a_clock_that_had_just_jumped_is_not_judged() -> None:
    clock, told = ManualClock(), iter([BEGAN, BEGAN + timedelta(minutes=10)])

    async def fetch(*_: Any) -> list[dict[str, Any]]:
        return [{"key": "k", "attempt": 1, "now": BEGAN}]

    async def fetchval(_: str) -> datetime:
        return next(told)

    @asynccontextmanager
    async def connected() -> AsyncIterator[Any]:
        yield SimpleNamespace(fetch=fetch, fetchval=fetchval)

    app: Any = SimpleNamespace(
        clock=clock, database=SimpleNamespace(connection=connected), log=telemetry.logger("test")
    )
    settings: Any = SimpleNamespace(lease_s=LEASE_S, start_lease_s=LEASE_S)
    reconciler = Reconciler(app, None, settings)  # type: ignore[arg-type]
    async with connected() as connection:
        assert await reconciler._goes_evenly(connection)
    assert await reconciler.expire_leases() == 0


@pytest.mark.parametrize(
    ("look_takes_s", "locks_take_s", "judged"),
    [(0.1, 0.1, ["k"]), (0.1, 1.5, []), (20.0, 0.1, [])],
    ids=["at once", "who listens may have waited for the locks too", "the process stood still between look and locks"],
)
async def test_who_has_not_listened_for_a_moment_judges_nobody(
    look_takes_s: float, locks_take_s: float, judged: list[str]
) -> None:
    clock, lost = ManualClock(), list[str]()

    async def fetch(statement: str, *_: Any) -> list[dict[str, Any]]:
        if statement == QUERIES.silent_jobs:
            await clock.advance(look_takes_s)
            return [{"key": "k", "attempt": 1, "now": datetime.now(UTC)}]
        await clock.advance(locks_take_s)
        return []

    @asynccontextmanager
    async def connected() -> AsyncIterator[Any]:
        yield SimpleNamespace(fetch=fetch, fetchval=fetchval, connection=SimpleNamespace(fetch=fetch))

    async def fetchval(_: str) -> datetime:
        return BEGAN

    async def apply(_: Any, lapsed: Any) -> None:
        lost.append(lapsed.job_key)

    database, log = SimpleNamespace(connection=connected), telemetry.logger("test")
    app: Any = SimpleNamespace(clock=clock, database=database, transaction=connected, log=log)
    settings: Any = SimpleNamespace(lease_s=LEASE_S, start_lease_s=LEASE_S)
    await Reconciler(app, SimpleNamespace(apply=apply), settings).expire_leases()  # type: ignore[arg-type]
    assert lost == judged

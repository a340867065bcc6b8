"""Background work is started again, and the process is given up when it keeps failing."""

from __future__ import annotations

import asyncio

from assay_chassis.clock import ManualClock
from assay_chassis.supervision import FAILURES_IN_A_ROW, Supervisor


async def test_work_that_returns_is_done() -> None:
    supervisor, runs = Supervisor(ManualClock()), []

    async def work() -> None:
        runs.append(1)

    supervisor.start("once", work)
    await asyncio.sleep(0.01)
    assert runs == [1]
    assert supervisor.failure is None


async def test_work_that_fails_a_few_times_is_started_again() -> None:
    clock, runs = ManualClock(), []
    supervisor = Supervisor(clock)

    async def work() -> None:
        runs.append(1)
        if len(runs) < 4:
            raise KeyError("once more")
        await asyncio.sleep(3600)

    supervisor.start("shaky", work)
    await clock.advance(60)
    assert len(runs) == 4
    assert supervisor.failure is None
    await supervisor.stop(1)


async def test_work_that_keeps_failing_condemns_the_process_and_says_why() -> None:
    clock, runs = ManualClock(), []
    supervisor = Supervisor(clock)

    async def work() -> None:
        runs.append(1)
        raise KeyError("never works")

    supervisor.start("broken", work)
    await clock.advance(120)
    assert len(runs) == FAILURES_IN_A_ROW
    assert supervisor.failed.is_set()
    assert "broken" in (supervisor.failure or "")
    assert "never works" in (supervisor.failure or "")


async def test_a_failure_now_and_then_is_forgiven() -> None:
    clock, runs = ManualClock(), []
    supervisor = Supervisor(clock)

    async def work() -> None:
        runs.append(1)
        await clock.sleep(120)
        raise KeyError("now and then")

    supervisor.start("rare", work)
    await clock.advance(120 * 20)
    assert len(runs) > FAILURES_IN_A_ROW
    assert supervisor.failure is None
    await supervisor.stop(1)

"""A manual clock moves only when told, and wakes sleepers in their order."""

from __future__ import annotations

import asyncio

from assay_chassis.clock import ManualClock, SystemClock


async def test_sleepers_wake_in_order_and_see_their_own_time() -> None:
    clock, woken = ManualClock(), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (3, 1, 2)]
    await clock.advance(2.5)
    assert woken == [(1, 1), (2, 2)]
    await clock.advance(1)
    assert woken[-1] == (3, 3)
    await asyncio.gather(*tasks)


async def test_one_advance_carries_a_loop_of_sleeps_all_the_way() -> None:
    clock, ticks = ManualClock(), []

    async def tick() -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.now())

    task = asyncio.create_task(tick())
    await clock.advance(10)
    task.cancel()
    assert len(ticks) == 10
    assert (ticks[-1] - ticks[0]).total_seconds() == 9


async def test_a_cancelled_sleeper_is_passed_over() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    await clock.advance(5)
    assert task.cancelled()


def test_the_systems_time_is_utc() -> None:
    assert SystemClock().now().utcoffset().total_seconds() == 0

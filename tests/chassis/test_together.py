"""Rounds of events: what comes while one runs shares the next, and a round that fails tells all who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from assay_chassis.clock import ManualClock
from assay_chassis.together import GATHER_S, MOST_EVENTS, Together
from assay_schemas.envelope import Event


def event(number: int) -> Event:
    return Event(id=f"e{number}", source="/test", type="x", time="2026-01-01T00:00:00Z", data={})


class Rounds:
    """A handler that remembers its rounds, and waits or fails when a test says so."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.error: Exception | None = None

    async def __call__(self, events: Sequence[Event]) -> None:
        self.seen.append([one.id for one in events])
        await self.go.wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


async def started(together: Together, *events: Event) -> asyncio.Task[None]:
    task = asyncio.create_task(together.handle(events))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_an_event_that_comes_alone_is_handled_at_once(rounds: Rounds) -> None:
    await Together(rounds, ManualClock()).handle([event(1)])
    assert rounds.seen == [["e1"]]


async def test_what_comes_while_a_round_runs_shares_the_next_one(rounds: Rounds) -> None:
    clock = ManualClock()
    together = Together(rounds, clock)
    rounds.go.clear()
    tasks = [await started(together, event(1)), await started(together, event(2)), await started(together, event(3))]
    assert rounds.seen == [["e1"]]
    rounds.go.set()
    await clock.advance(GATHER_S)
    await asyncio.gather(*tasks)
    assert rounds.seen == [["e1"], ["e2", "e3"]]


async def test_a_round_that_fails_tells_all_of_it_and_the_next_goes_on(rounds: Rounds) -> None:
    clock = ManualClock()
    together = Together(rounds, clock)
    rounds.error = ValueError("no")
    with pytest.raises(ValueError, match="no"):
        await together.handle([event(1)])
    rounds.error = None
    task = await started(together, event(2))
    await clock.advance(GATHER_S)
    await task
    assert rounds.seen == [["e1"], ["e2"]]


async def test_what_nobody_waits_for_any_more_is_left_out(rounds: Rounds) -> None:
    clock = ManualClock()
    together = Together(rounds, clock)
    rounds.go.clear()
    first, second, third = [await started(together, event(number)) for number in (1, 2, 3)]
    second.cancel()
    with suppress(asyncio.CancelledError):
        await second
    rounds.go.set()
    await clock.advance(GATHER_S)
    await asyncio.gather(first, third)
    assert rounds.seen == [["e1"], ["e3"]]


async def test_a_round_has_a_largest_size_and_keeps_what_came_together(rounds: Rounds) -> None:
    clock = ManualClock()
    together = Together(rounds, clock)
    rounds.go.clear()
    half = [event(number) for number in range(MOST_EVENTS // 2 + 1)]
    tasks = [await started(together, event(-1)), await started(together, *half), await started(together, *half)]
    rounds.go.set()
    await clock.advance(GATHER_S)
    await clock.advance(GATHER_S)
    await asyncio.gather(*tasks)
    assert [len(one) for one in rounds.seen] == [1, len(half), len(half)]

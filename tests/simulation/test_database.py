"""The simulated PostgreSQL: READ COMMITTED, row locks, sessions that break."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg
import pytest

from simulation.clock import SimulatedClock
from simulation.database.server import Server, Transaction
from simulation.loop import SimulatedLoop


@pytest.fixture
def loop() -> SimulatedLoop:
    return SimulatedLoop(0)


@pytest.fixture
def server(loop: SimulatedLoop) -> Server:
    return Server({"jobs": {"a": {"n": 0}, "b": {"n": 0}}}, {}, SimulatedClock(loop).now)


def run(loop: SimulatedLoop, *works: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    tasks = [loop.spawn(loop.process("p"), work) for work in works]
    loop.run_until(lambda: all(task.done() for task in tasks), 1000.0)
    return tasks


async def add_one(server: Server, key: str, pause_s: float) -> None:
    tx = Transaction(server)
    row = await tx.lock("jobs", key)
    assert row is not None
    await asyncio.sleep(pause_s)
    tx.put("jobs", key, {"n": row["n"] + 1})
    server.commit(tx)


def test_a_locked_row_is_read_as_it_is_when_the_lock_is_held(loop: SimulatedLoop, server: Server) -> None:
    run(loop, *(add_one(server, "a", 1.0) for _ in range(5)))
    assert server.tables["jobs"]["a"] == {"n": 5}


def test_what_is_not_committed_is_seen_by_nobody_else(loop: SimulatedLoop, server: Server) -> None:
    mine, others = Transaction(server), Transaction(server)
    mine.put("jobs", "c", {"n": 1})
    assert mine.get("jobs", "c") == {"n": 1}
    assert others.get("jobs", "c") is None
    server.rollback(mine)
    assert server.tables["jobs"].keys() == {"a", "b"}


def test_two_that_wait_for_each_other_are_a_deadlock(loop: SimulatedLoop, server: Server) -> None:
    async def both(first: str, second: str) -> str:
        tx = Transaction(server)
        try:
            await tx.lock("jobs", first)
            await asyncio.sleep(1.0)
            await tx.lock("jobs", second)
        except asyncpg.DeadlockDetectedError:
            server.rollback(tx)
            return "deadlock"
        server.commit(tx)
        return "done"

    tasks = run(loop, both("a", "b"), both("b", "a"))
    assert sorted(task.result() for task in tasks) == ["deadlock", "done"]


def test_of_two_that_add_the_same_row_one_waits_and_then_finds_it(loop: SimulatedLoop, server: Server) -> None:
    async def add(name: str) -> bool:
        tx = Transaction(server)
        new = await tx.insert("jobs", "c", {"n": name})
        await asyncio.sleep(1.0)
        server.commit(tx)
        return new

    tasks = run(loop, add("x"), add("y"))
    assert sorted(task.result() for task in tasks) == [False, True]

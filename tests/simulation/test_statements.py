"""What the simulated database answers is what PostgreSQL answers: the transactions of a seed, done again there."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from assay_chassis.database import Database
from assay_chassis.migrations import migrate
from assay_chassis.outbox import QUERIES as CHASSIS
from assay_scheduler.store import QUERIES as SCHEDULER

from simulation.database import chassis_statements, scheduler_statements
from simulation.database.server import Call
from simulation.faults import KINDS
from simulation.life import clear_away, live
from simulation.world import Options, SimulatedWorld

pytestmark = pytest.mark.real
KEPT: list[str] = ["job fails", "job fails for good", "job lost", "duplicate record", "rebalance"]
SEEDS = (20,)
RARE = {
    "SELECT 1",
    "forget_cancels",
    "forget_old_events",
    "forget_published",
    "get_experiment",
    "get_finding",
    "put_finding",
    "reject_experiment",
    "remember_cancel",
    "renew_lease",
    "set_cancel_reason",
    "silent_jobs",
    "wanted_keys",
}
"""Statements that these seeds need not come to, and silence, which the server judges by its own clock."""
BY_ITS_CLOCK = frozenset({"clock_timestamp", "heartbeat_at", "now"})
STATEMENTS = {**chassis_statements.STATEMENTS, **scheduler_statements.STATEMENTS}
OF_SERVICE = {**chassis_statements.QUERIES._statements, **SCHEDULER._statements}
NAMES = {text: name for name, text in OF_SERVICE.items()}


def recorded(seed: int) -> list[list[Call]]:
    """What one seed asked of its database, by transaction in the order of the commits."""
    world = SimulatedWorld(seed, Options(without=[kind for kind in KINDS if kind not in KEPT]))
    world.servers["scheduler"].recorded = calls = []
    assert live(world).broken == []
    del world
    clear_away()
    return calls


class Replay:
    """Does the calls again; numbers of the outbox are PostgreSQL's own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._numbers: dict[int, int] = {}
        self.compared: Counter[str] = Counter()

    async def transaction(self, calls: list[Call]) -> None:
        async with self._connection.transaction(isolation="read_committed"):
            for call in calls:
                arguments = call.arguments
                if call.query == CHASSIS.mark_published:
                    arguments = ([self._numbers[number] for number in arguments[0]],)
                rows = [dict(row) for row in await self._connection.fetch(call.query, *arguments)]
                if call.query == CHASSIS.take_outgoing:
                    self._numbers |= {mine["seq"]: theirs["seq"] for mine, theirs in zip(call.rows, rows, strict=True)}
                if call.alone and call.query != SCHEDULER.silent_jobs:
                    name = NAMES.get(call.query, call.query)
                    theirs, ours = comparable(rows), comparable(call.rows)
                    assert theirs == ours, f"{name}: {set(theirs) ^ set(ours)}"
                    self.compared[name] += 1


def comparable(rows: list[dict[str, Any]]) -> list[str]:
    """Rows in an order of their own, without what only the server decides."""
    kept = [
        {
            name: told(value) if name not in BY_ITS_CLOCK else value is not None
            for name, value in row.items()
            if name != "seq" and not name.startswith("pg_")
        }
        for row in rows
    ]
    return sorted(repr(sorted(row.items())) for row in kept)


def told(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: told(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [told(one) for one in value]
    return float(f"{float(value):.6g}") if type(value).__name__ in ("float", "Decimal") else value


@pytest.fixture(scope="module")
def runs() -> list[list[list[Call]]]:
    """Outside of any test's own event loop."""
    return [recorded(seed) for seed in SEEDS]


async def test_postgres_answers_every_statement_of_a_seed_in_the_same_way(
    runs: list[list[list[Call]]], database_url: str
) -> None:
    compared: Counter[str] = Counter()
    for number, calls in enumerate(runs):
        database = await Database.connect(database_url, schema=f"seed{number}")
        try:
            await migrate(database, "assay_chassis", "assay_scheduler")
            async with database.connection() as connection:
                replay = Replay(connection)
                for one in calls:
                    await replay.transaction(one)
                compared += replay.compared
        finally:
            await database.close()
    assert {NAMES.get(text, text) for text in STATEMENTS} - set(compared) <= RARE

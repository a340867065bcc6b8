"""What must hold of the reporter: one report for each completion, and a read model that the log gives again.

Reads topics and tables; the rebuild runs the reporter's own handlers on empty tables.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from assay_chassis.outbox import Transaction as Opened
from assay_reporter.handlers import Handlers
from assay_reporter.sinks import DeclaredSinks
from assay_schemas.envelope import Event, Record, Unreadable
from assay_schemas.events import COMPLETION_TOPIC

from simulation.database import reporter_statements
from simulation.database.server import Row, Server, Transaction
from simulation.world import SimulatedWorld

ONCE = ("experiment.accepted", "experiment.rejected", "experiment.completed")
TOPICS = (*ONCE, "job.progressed", *COMPLETION_TOPIC.values())
# What pages show of a rebuild that made no report yet, and what a rebuild does at its own time.
APART = frozenset({"sentence", "state", "tries", "due_at", "failure"})
COMPARED = {
    "experiments": APART, "experiment_jobs": frozenset[str](), "jobs": frozenset[str](),
    "job_curves": frozenset[str](), "job_usage": frozenset[str](), "reports": APART,
}  # fmt: skip


def check_reports(world: SimulatedWorld) -> None:
    """One `report.published` for each completed experiment, under one id and with one content."""
    ids: dict[str, set[tuple[str, bytes]]] = {}
    for record in world.log.of("report.published"):
        event = world.read(record)
        ids.setdefault(event.key, set()).add((event.id, record.value or b""))
    completed = {world.read(record).key for record in world.log.of("experiment.completed")}
    for identity, said in ids.items():
        if len(said) != 1:
            world.tell("one report", f"experiment {identity[:8]} has {len(said)} different reports")
    if missing := completed ^ set(ids):
        world.tell("one report", f"experiments {sorted(one[:8] for one in missing)} ended without one, or have no end")


class Direct:
    """A connection that answers at once and keeps what is written: a rebuild's own database."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def fetch(self, query: str, *arguments: Any) -> list[Row]:
        tx = Transaction(self._server)
        rows = await self._server.run(tx, query, arguments)
        self._server.commit(tx)
        return rows

    execute = fetch

    async def executemany(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            await self.fetch(query, *row)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Direct]:
        yield self

    transaction = connection


async def rebuilt(world: SimulatedWorld) -> Server:
    """The read model made anew from every record there ever was, partitions read in an order of the seed's."""
    server = Server(reporter_statements.TABLES, reporter_statements.STATEMENTS, world.clock.now)
    direct = Direct(server)
    app: Any = SimpleNamespace(store=world.store, database=direct)
    handlers = Handlers(app, SimpleNamespace(hint=lambda: None), DeclaredSinks({}))  # type: ignore[arg-type]
    once = dict(zip(ONCE, (handlers.accepted, handlers.rejected, handlers.completed), strict=True))
    seen: set[tuple[str, str]] = set()
    for event in _events(world):
        if event.type not in once:
            await (handlers.progressed if event.type == "job.progressed" else handlers.jobs_completed)([event])
        elif (event.source, event.id) not in seen:
            seen.add((event.source, event.id))
            await once[event.type](event, Opened(direct, "reporter"))
    return server


def _events(world: SimulatedWorld) -> list[Event]:
    """Every event that the reporter reads: in order within a partition, and the partitions mixed."""
    queues = [list(records) for place, records in sorted(world.log.records.items()) if place.topic in TOPICS]
    draw, mixed = random.Random(f"rebuild {world.seed}"), list[Record]()
    queues = [queue for queue in queues if queue]
    while queues:
        queue = draw.choice(queues)
        mixed += queue[: (size := draw.randint(1, 20))]
        del queue[:size]
        queues = [one for one in queues if one]
    return [event for record in mixed if (event := _read(world, record)) is not None]


def _read(world: SimulatedWorld, record: Record) -> Event | None:
    try:
        return world.read(record)
    except Unreadable:
        return None


def compare(world: SimulatedWorld, made: Server) -> None:
    """Tells of the first row of each table that is not what the log gives again."""
    live = world.servers["reporter"].tables
    for table, apart in COMPARED.items():
        ours, theirs = (_shown(tables[table], apart) for tables in (live, made.tables))
        for key in sorted({*ours, *theirs}, key=repr):
            if ours.get(key) != theirs.get(key):
                words = f"{table} {str(key)[:40]}: {_difference(ours.get(key), theirs.get(key))}"
                world.tell("read models come again", words)
                break


def _shown(rows: dict[Any, Row], apart: frozenset[str]) -> dict[Any, Row]:
    return {key: {name: value for name, value in row.items() if name not in apart} for key, row in rows.items()}


def _difference(ours: Row | None, theirs: Row | None) -> str:
    if ours is None or theirs is None:
        return "only rebuilt" if ours is None else "only live"
    return "; ".join(
        f"{name} is {ours[name]!r}, rebuilt {theirs[name]!r}" for name in ours if ours[name] != theirs[name]
    )

"""Planted bugs of delivery: inbox, outbox, relay, offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from assay_chassis import app, inbox
from assay_chassis.database import Database
from assay_chassis.inbox import HandlerOfSeveral
from assay_chassis.outbox import QUERIES, Transaction, transaction
from assay_chassis.partitions import PartitionQueue
from assay_chassis.relay import BATCH, OutboxRelay, _event
from assay_schemas.envelope import Event

from simulation.loop import current_process
from simulation.parts.broker import SimulatedBroker
from simulation.planted.bug import bug

_handle = PartitionQueue._handle


async def _ack_first(self: PartitionQueue) -> int:
    self.next_offset = self._waiting[-1].offset + 1
    self._handled()
    return await _handle(self)


async def _publish_at_once(self: Transaction, *events: Event) -> None:
    await _publish(self, *events)
    for event in events:
        for broker in [one for one in current_process().held if isinstance(one, SimulatedBroker)]:
            await broker.publish(event)


_publish = Transaction.publish


async def _by_number(self: OutboxRelay, connection: Any) -> int:
    """Remembers how far it came, also over restarts, as if numbers were committed in their order."""
    remembered: dict[str, int] = asyncio.get_running_loop().__dict__
    rows = await connection.fetch(QUERIES.take_outgoing, BATCH)
    rows = [row for row in rows if row["seq"] > remembered.get("came_to", 0)]
    if rows:
        await self._publisher.publish(*(_event(row) for row in rows))
        await connection.execute(QUERIES.mark_published, [row["seq"] for row in rows])
        remembered["came_to"] = rows[-1]["seq"]
    return len(rows)


async def _mark_first(self: OutboxRelay, connection: Any) -> int:
    rows = await connection.fetch(QUERIES.take_outgoing, BATCH)
    if rows:
        await connection.execute(QUERIES.mark_published, [row["seq"] for row in rows])
        await self._publisher.publish(*(_event(row) for row in rows))
    return len(rows)


async def _inbox_first(database: Database, events: Sequence[Event], handler: HandlerOfSeveral) -> list[Event]:
    """Remembers the events in a transaction of its own, before their effects."""
    async with transaction(database) as opened:
        sources, ids = [event.source for event in events], [event.id for event in events]
        rows = await opened.connection.fetch(QUERIES.remember_events, sources, ids)
        fresh = inbox._first_of_each(events, {(row["source"], row["id"]) for row in rows})
    if fresh:
        async with transaction(database) as opened:
            await handler(fresh, opened)
    return fresh


def _everything_is_fresh(events: Sequence[Event], _unseen: object) -> list[Event]:
    return list(events)


BUGS = (
    bug("ack first", "offsets are committed before the handler ran", (PartitionQueue, "_handle", _ack_first)),
    bug("no inbox", "an event that comes again is applied again", (inbox, "_first_of_each", _everything_is_fresh)),
    bug(
        "inbox of its own",
        "an event is remembered in another transaction than its effects",
        (app, "apply_together", _inbox_first),
        (inbox, "apply_together", _inbox_first),
    ),
    bug(
        "outbox cursor by sequence",
        "the relay remembers the highest number it published",
        (OutboxRelay, "_publish_batch", _by_number),
    ),
    bug(
        "marked before published",
        "the relay marks rows before the broker has them",
        (OutboxRelay, "_publish_batch", _mark_first),
    ),
    bug(
        "publish before commit",
        "a handler's events go out before its transaction is committed",
        (Transaction, "publish", _publish_at_once),
    ),
)

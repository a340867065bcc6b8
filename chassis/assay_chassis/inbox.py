"""Events' effects, their inbox rows and what they make us say, in one transaction: all of them, once, or none.

Never calls a handler for an event whose source and id the inbox has already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from assay_schemas.envelope import Event

from assay_chassis import telemetry
from assay_chassis.database import Database
from assay_chassis.outbox import QUERIES, Transaction, transaction

TransactionalHandler = Callable[[Event, Transaction], Awaitable[None]]
HandlerOfSeveral = Callable[[Sequence[Event], Transaction], Awaitable[None]]


async def apply_once(database: Database, event: Event, handler: TransactionalHandler) -> bool:
    """Run the handler unless the event was applied before; whether it ran.

    Raises what the handler raises, with nothing written, and DatabaseUnavailable.
    """

    async def handle(events: Sequence[Event], opened: Transaction) -> None:
        await handler(events[0], opened)

    return bool(await apply_together(database, [event], handle))


async def apply_together(database: Database, events: Sequence[Event], handler: HandlerOfSeveral) -> list[Event]:
    """Run the handler with those events that were not applied before, in their order; which those were.

    Raises what the handler raises, with nothing written of any of them, and DatabaseUnavailable.
    """
    async with transaction(database) as opened:
        sources, ids = [event.source for event in events], [event.id for event in events]
        rows = await opened.connection.fetch(QUERIES.remember_events, sources, ids)
        fresh = _first_of_each(events, {(row["source"], row["id"]) for row in rows})
        if fresh:
            await handler(fresh, opened)
    applied = {id(event) for event in fresh}
    for event in events:
        if id(event) not in applied:
            telemetry.count("duplicates_dropped", topic=event.type)
    return fresh


def _first_of_each(events: Sequence[Event], unseen: set[tuple[str, str]]) -> list[Event]:
    """Events of these identities; of several with the same one, the first."""
    fresh = []
    for event in events:
        if (event.source, event.id) in unseen:
            unseen.discard((event.source, event.id))
            fresh.append(event)
    return fresh

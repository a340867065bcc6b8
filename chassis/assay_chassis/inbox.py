"""An event's effects, its inbox row and what it makes us say, in one transaction: all of them, once, or none.

Never calls a handler for an event whose source and id the inbox has already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from assay_schemas.envelope import Event

from assay_chassis import telemetry
from assay_chassis.database import Database
from assay_chassis.outbox import QUERIES, Transaction, transaction

TransactionalHandler = Callable[[Event, Transaction], Awaitable[None]]


async def apply_once(database: Database, event: Event, handler: TransactionalHandler) -> bool:
    """Run the handler unless the event was applied before; whether it ran.

    Raises what the handler raises, with nothing written, and DatabaseUnavailable.
    """
    async with transaction(database) as opened:
        first = await opened.connection.fetchval(QUERIES.remember_event, event.source, event.id)
        if first:
            await handler(event, opened)
    if not first:
        telemetry.count("duplicates_dropped", topic=event.type)
    return bool(first)

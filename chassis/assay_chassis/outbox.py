"""Events written into the outbox in the transaction of the state they tell of; `relay` publishes them.

Never publishes: an event exists for others only when its transaction is committed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from assay_schemas.envelope import Event

from assay_chassis.database import Database
from assay_chassis.publishing import encode_checked
from assay_chassis.queries import Queries

QUERIES = Queries.load("assay_chassis")


def channel(schema: str) -> str:
    """The NOTIFY channel that says that a schema's outbox has something new."""
    return f"assay_outbox_{schema}"


class Transaction:
    """What a handler is given: the connection, inside its transaction, and a way to say something."""

    def __init__(self, connection: Any, schema: str) -> None:
        self.connection = connection
        self._schema = schema

    async def publish(self, *events: Event) -> None:
        """Put events into the outbox; they go out, in this order, once the transaction is committed.

        Raises EventTooLarge."""
        if events:
            ids, topics, keys = zip(*((event.id, event.type, event.key) for event in events), strict=True)
            payloads = [_payload(event) for event in events]
            # One statement, which also wakes the relay when the transaction is committed.
            await self.connection.execute(QUERIES.add_outgoing, ids, topics, keys, payloads, channel(self._schema))


def _payload(event: Event) -> Any:
    return json.loads(encode_checked(event)[1])


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Transaction]:
    """A transaction with an outbox, for work that no event started: timers, HTTP requests, reconcilers."""
    async with database.transaction() as connection:
        yield Transaction(connection, database.schema)

"""Events written into the outbox in the transaction of the state they tell of; `relay` publishes them.

Never publishes: an event exists for others only when its transaction is committed.
"""

from __future__ import annotations

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
    """What a handler is given: the connection, inside its transaction, and ways to say something when it commits."""

    def __init__(self, connection: Any, schema: str) -> None:
        self.connection = connection
        self._schema = schema
        self._outgoing: list[tuple[str, str, str, str]] = []
        self._news: dict[tuple[str, str], None] = {}

    async def publish(self, *events: Event) -> None:
        """Put events into the outbox; they go out, in this order, once the transaction is committed.

        Raises EventTooLarge."""
        for event in events:
            self._outgoing.append((event.id, event.type, event.key, encode_checked(event)[1].decode()))
            self.notify(channel(self._schema))

    def notify(self, heard_on: str, news: str = "") -> None:
        """Wake who listens on a channel once the transaction is committed; the same news is told once."""
        self._news[heard_on, news] = None

    async def flush(self) -> None:
        """Write what was said so far, in one statement. Called before the commit."""
        outgoing, news = self._outgoing, list(self._news)
        if outgoing or news:
            self._outgoing, self._news = [], {}
            events = [[row[column] for row in outgoing] for column in range(4)]
            await self.connection.execute(
                QUERIES.add_outgoing, *events, *([one[part] for one in news] for part in (0, 1))
            )


@asynccontextmanager
async def transaction(database: Database) -> AsyncIterator[Transaction]:
    """A transaction with an outbox, for work that no event started: timers, HTTP requests, reconcilers."""
    async with database.transaction() as connection:
        opened = Transaction(connection, database.schema)
        yield opened
        await opened.flush()

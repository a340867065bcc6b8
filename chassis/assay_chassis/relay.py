"""Publishes what stands in the outbox, in order, and marks it; one process of a service at a time does so.

Never remembers a position: numbers are committed out of order, so a row's own mark says whether it went out.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from assay_schemas.envelope import Event, Record, decode

from assay_chassis import telemetry
from assay_chassis.clock import Clock
from assay_chassis.database import Database
from assay_chassis.errors import Transient
from assay_chassis.outbox import QUERIES, channel
from assay_chassis.postgres_hosts import LOST
from assay_chassis.publishing import Publisher
from assay_chassis.retry import Backoff

BATCH = 500
GATHER_S = 0.02  # after something went out: what comes in quick succession goes out together
POLL_S = 1.0
FORGIVEN_AFTER_S = 60.0
PRUNE_EVERY_S = 600.0
KEEP_PUBLISHED = timedelta(days=1)
KEEP_INBOX = timedelta(days=30)
FORGOT_ALL_IT_MAY = "DELETE 5000"  # the limit of one statement: there may be more


class OutboxRelay:
    """`run` for ever; a failure of database or broker only delays."""

    def __init__(self, database: Database, publisher: Publisher, clock: Clock) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._hint = asyncio.Event()
        self._pruned_at = clock.monotonic()
        self._log = telemetry.logger("relay")

    async def run(self) -> None:
        delays = Backoff(longest=5.0).delays()
        while True:
            started = self._clock.monotonic()
            try:
                await self._lead_and_publish()
            except (Transient, *LOST) as error:
                self._log.warning("relay interrupted", error=f"{type(error).__name__}: {error}")
            telemetry.gauge("relay_leader", 0, service=self._database.schema)
            if self._clock.monotonic() - started > FORGIVEN_AFTER_S:
                delays = Backoff(longest=5.0).delays()
            await self._clock.sleep(next(delays))

    async def _lead_and_publish(self) -> None:
        connection = await self._database.dedicated()
        try:
            while not await connection.fetchval(QUERIES.lead, self._database.schema):
                await self._clock.sleep(POLL_S)
            telemetry.gauge("relay_leader", 1, service=self._database.schema)
            await connection.add_listener(channel(self._database.schema), lambda *_: self._hint.set())
            while True:
                self._hint.clear()
                published = count = await self._publish_batch(connection)
                while count == BATCH:
                    count = await self._publish_batch(connection)
                await self._prune_sometimes()
                await self._wait()
                if published:
                    await self._clock.sleep(GATHER_S)
        finally:
            await connection.close(timeout=5)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._hint.wait()
        except TimeoutError:
            pass

    async def _publish_batch(self, connection: Any) -> int:
        """Publish the oldest rows; a crash between publishing and marking publishes them again, with the same ids.
        So does a crash of the server that loses the marks: that they reach the disk is not waited for.

        The rows need no lock: the lock that makes this process the leader is of the same connection."""
        rows = await connection.fetch(QUERIES.take_outgoing, BATCH)
        if rows:
            await self._publisher.publish(*(_event(row) for row in rows))
            await connection.execute(QUERIES.mark_published, [row["seq"] for row in rows])
        return len(rows)

    async def _prune_sometimes(self) -> None:
        if self._clock.monotonic() - self._pruned_at >= PRUNE_EVERY_S:
            self._pruned_at = self._clock.monotonic()
            await self.prune()

    async def prune(self) -> None:
        """Delete rows published long ago, and inbox rows older than any record a topic keeps."""
        async with self._database.connection() as connection:
            for query, age in ((QUERIES.forget_published, KEEP_PUBLISHED), (QUERIES.forget_old_events, KEEP_INBOX)):
                while await connection.execute(query, age) == FORGOT_ALL_IT_MAY:
                    continue


def _event(row: Any) -> Event:
    key = row["aggregateid"].encode()
    return decode(Record(topic=row["aggregatetype"], key=key, value=row["payload"].encode()))

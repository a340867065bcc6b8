"""A burst of signs of life, ten thousand a second of all running jobs: how long it takes to absorb, and in what memory.

Real Kafka and PostgreSQL, and a scheduler process with a short lease; the jobs only seem to run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from assay_chassis.database import Database
from assay_chassis.publishing import make_event
from assay_local.broker_admin import create_topics
from assay_local.broker_topics import production_topics
from assay_local.component import running
from assay_local.kafka import KafkaServer
from assay_schemas.envelope import encode
from assay_schemas.events import JobProgressed

from benchmarks.control_plane import Place, scheduler
from benchmarks.load_stock import live_jobs
from benchmarks.processes import cpu_of_family, memory_mib

RATE = 10_000
BATCH_BYTES = 16 * 1024
"""What producers come to under load when nobody tells them otherwise."""
LEASE_S = 10.0
PATIENCE_S = 400.0
TOPIC = "job.progressed"
GOAL = "10,000 events a second absorbed, no lease lost, signs of life coalesced, memory bounded"
NUMBER = 987_654_321
"""Stands in a sign of life's text for its number, which is written there afterwards: quicker than encoding each."""
PLACE = str(NUMBER).encode()
WRITTEN = "SELECT coalesce(min(progress_sequence), 0) FROM jobs WHERE key = ANY ($1::text[])"
ROWS = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE schemaname = 'scheduler' AND relname = 'jobs'"
LOST = "SELECT count(*) FROM attempts WHERE outcome = 'lost'"


Sign = tuple[bytes, bytes, list[tuple[str, bytes]]]


class Signs:
    """Signs of life of jobs, in rounds of one of every job, numbered from 1."""

    def __init__(self, jobs: list[tuple[str, int]], producer: AIOKafkaProducer, partitions: int) -> None:
        self.keys = [key for key, _ in jobs]
        self.rounds = 0
        self._producer = producer
        self._of_partition: dict[int, list[Sign]] = {}
        for key, attempt in jobs:
            place = DefaultPartitioner()(key.encode(), list(range(partitions)), [])
            self._of_partition.setdefault(place, []).append(_sign(key, attempt))

    async def send(self, seconds: float) -> float:
        """Whole rounds, at least one, for about so long at the rate; how long it took."""
        began, due = time.monotonic(), 0
        for _ in range(max(1, round(seconds * RATE / len(self.keys)))):
            self.rounds += 1
            await asyncio.gather(*(self._send(place, texts) for place, texts in self._of_partition.items()))
            due += len(self.keys)
            await asyncio.sleep(max(0.0, began + due / RATE - time.monotonic()))
        await self._producer.flush()
        return time.monotonic() - began

    async def _send(self, place: int, texts: list[Sign]) -> None:
        """In batches made by hand: the producer's own way takes as long for one as the scheduler does."""
        number, batch = str(self.rounds).encode(), self._producer.create_batch()
        for key, value, headers in texts:
            given = {"key": key, "value": value.replace(PLACE, number), "timestamp": None, "headers": headers}
            if batch.append(**given) is None:
                await self._producer.send_batch(batch, TOPIC, partition=place)
                batch = self._producer.create_batch()
                batch.append(**given)
        await self._producer.send_batch(batch, TOPIC, partition=place)


def _sign(key: str, attempt: int) -> Sign:
    at = datetime.now(UTC)
    body = JobProgressed(job_key=key, kind="eval", attempt=attempt, sequence=NUMBER, phase="running", at=at)
    return encode(make_event(TOPIC, body, key=key, source="/load"))


@asynccontextmanager
async def signs(kafka: str, connection: Any) -> AsyncIterator[Signs]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        partitions = len(await producer.partitions_for(TOPIC))
        yield Signs(await live_jobs(connection.fetchval), producer, partitions)
    finally:
        await producer.stop()


async def measure(folder: Path, database_url: str, seconds: int) -> dict[str, Any]:
    """The burst, of every job that runs in this database."""
    kafka = KafkaServer(folder / "kafka")
    with running(kafka):
        create_topics(kafka.bootstrap_servers, production_topics())
        place = Place(folder, kafka.bootstrap_servers, database_url)
        database = await Database.connect(database_url, schema="scheduler", connections=1)
        try:
            async with database.connection() as connection, signs(place.kafka, connection) as made:
                with scheduler(place, ASSAY_LEASE_S=str(LEASE_S)) as process:
                    return await _measured(made, connection, process.pid, seconds)
        finally:
            await database.close()


async def _measured(made: Signs, connection: Any, process: int, seconds: int) -> dict[str, Any]:
    await made.send(0)
    await _written(made, connection)
    # A scheduler judges nobody before it has listened for a whole lease.
    await made.send(LEASE_S)
    await _written(made, connection)
    rows, before_mib, first = await connection.fetchval(ROWS), memory_mib(process, "VmRSS"), made.rounds
    began, cpu_s = time.monotonic(), cpu_of_family(process)
    sent_s = await made.send(seconds)
    await _written(made, connection)
    absorbed_s, cpu_s = time.monotonic() - began, cpu_of_family(process) - cpu_s
    count = (made.rounds - first) * len(made.keys)
    await asyncio.sleep(2.0)  # PostgreSQL's own counts come a little later
    return {
        "jobs": len(made.keys),
        "signs_of_life": count,
        "sent_per_s": round(count / sent_s),
        "absorbed_per_s": round(count / absorbed_s),
        "cpu_us_per_sign": round(1e6 * cpu_s / count),
        "seconds_behind_at_the_end": round(absorbed_s - sent_s, 1),
        "rows_written": await connection.fetchval(ROWS) - rows,
        "leases_lost": await connection.fetchval(LOST),
        "memory_before_mib": before_mib,
        "memory_at_most_mib": memory_mib(process, "VmHWM"),
    }


async def _written(made: Signs, connection: Any) -> None:
    ends_at = time.monotonic() + PATIENCE_S
    while (written := await connection.fetchval(WRITTEN, made.keys)) < made.rounds:
        if time.monotonic() > ends_at:
            raise TimeoutError(f"after {PATIENCE_S:.0f} s, {written} of {made.rounds} rounds are written")
        await asyncio.sleep(0.1)

"""What the control plane is measured against: a loop that produces, consumes and commits, and decides nothing.

One process, one event after the other, on the same Kafka and PostgreSQL; no part of the system runs meanwhile.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

TOPIC = "bare.loop"
COMMIT_OFFSETS_EVERY_S = 0.1
CREATE = "CREATE TABLE IF NOT EXISTS bare (id bigint PRIMARY KEY, payload text NOT NULL)"
INSERT = "INSERT INTO bare (id, payload) VALUES ($1, $2)"


@dataclass(frozen=True)
class Amount:
    """How much there is to do: events written and read, those of them that end in a transaction, bytes of each."""

    events: int
    transactions: int
    event_bytes: int


async def run(bootstrap_servers: str, database_url: str, amount: Amount) -> float:
    """Seconds for the whole amount, connections made beforehand."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all", enable_idempotence=True)
    consumer = AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=bootstrap_servers,
        group_id="bare-loop",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(CREATE)
        await connection.execute("TRUNCATE bare")
        await producer.start()
        await consumer.start()
        await producer.send_and_wait(TOPIC, b"warm")
        await consumer.getone()
        began = time.perf_counter()
        await _loop(producer, consumer, connection, amount)
        return time.perf_counter() - began
    finally:
        await producer.stop()
        await consumer.stop()
        await connection.close()


async def _loop(
    producer: AIOKafkaProducer, consumer: AIOKafkaConsumer, connection: asyncpg.Connection, amount: Amount
) -> None:
    payload = "x" * amount.event_bytes
    committed_at = time.perf_counter()
    for number in range(amount.events):
        await producer.send_and_wait(TOPIC, payload.encode(), key=str(number).encode())
        record = await consumer.getone()
        if (number + 1) * amount.transactions // amount.events > number * amount.transactions // amount.events:
            async with connection.transaction():
                await connection.execute(INSERT, number, record.value.decode())
        if time.perf_counter() - committed_at >= COMMIT_OFFSETS_EVERY_S:
            await consumer.commit()
            committed_at = time.perf_counter()
    await consumer.commit()

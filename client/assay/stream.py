"""The client's side of Kafka: publish one event and wait for its acknowledgement, follow topics from a moment.

Never joins a consumer group, so watching disturbs nobody.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from assay_schemas.envelope import Event, Record, Unreadable, decode, encode

from assay.errors import NotConnected, NotFound
from assay.settings import ClientSettings

# A partition whose leader moves is asked again; where nobody set up logging, each such try would stand in the terminal.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())
CONNECT_TIMEOUT_S = 15.0
MAX_REQUEST_BYTES = 16 * 1024 * 1024


def _connection(settings: ClientSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = _ssl_context(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return options


def _ssl_context(settings: ClientSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile or None)
    if settings.kafka_ssl_certfile:
        context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile or None)
    return context


async def publish(settings: ClientSettings, events: Sequence[Event]) -> None:
    """Publishes events and returns when every replica has them. Raises NotConnected."""
    async with _producer(settings) as producer:
        for event in events:
            key, value, headers = encode(event)
            await producer.send_and_wait(event.type, value, key=key, headers=headers)


async def send(settings: ClientSettings, record: Record, *, partition: int | None = None) -> None:
    """Writes one record exactly as it is, to a partition or to that of its key. Raises NotConnected."""
    async with _producer(settings) as producer:
        await producer.send_and_wait(
            record.topic, record.value, key=record.key, headers=list(record.headers), partition=partition
        )


@asynccontextmanager
async def _producer(settings: ClientSettings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        acks="all", request_timeout_ms=20_000, max_request_size=MAX_REQUEST_BYTES, **_connection(settings)
    )
    await _started(producer, settings)
    try:
        yield producer
    except KafkaError as error:
        raise NotConnected(f"The broker did not take the record: {error}.") from error
    finally:
        await producer.stop()


async def records(
    settings: ClientSettings, topics: Iterable[str], since: datetime | None = None, *, follow: bool = True
) -> AsyncIterator[Record | None]:
    """Records of topics from a moment (None: the beginning), and for ever when `follow`.

    Yields None whenever nothing came for half a second, so that a caller can look at the time.
    """
    consumer = AIOKafkaConsumer(
        *topics,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=settings.kafka_fetch_max_wait_ms,
        **_connection(settings),
    )
    await _started(consumer, settings)
    try:
        partitions = _paused(consumer)
        await _rewind(consumer, partitions, since)
        ends = {} if follow else await consumer.end_offsets(partitions)
        consumer.resume(*partitions)
        while True:
            if not follow and await _read_all(consumer, ends):
                return
            batch = await consumer.getmany(timeout_ms=500)
            for message in (message for messages in batch.values() for message in messages):
                yield _record(message)
            if not batch:
                yield None
    finally:
        await consumer.stop()


async def count(settings: ClientSettings, topic: str) -> int:
    """How many records a topic keeps, from its offsets alone. Raises NotConnected, NotFound."""
    consumer = AIOKafkaConsumer(topic, enable_auto_commit=False, **_connection(settings))
    await _started(consumer, settings)
    try:
        partitions = _paused(consumer)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            first, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
        return sum(ends[partition] - first[partition] for partition in partitions)
    except (KafkaError, TimeoutError) as error:
        raise NotConnected(f"The broker does not say what {topic} holds: {error or type(error).__name__}.") from error
    finally:
        await consumer.stop()


async def events(
    settings: ClientSettings, topics: Iterable[str], since: datetime | None = None
) -> AsyncIterator[Event | None]:
    """The readable events of topics from a moment, for ever; None when nothing came for half a second."""
    async for record in records(settings, topics, since):
        if record is None:
            yield None
            continue
        try:
            yield decode(record)
        except Unreadable:
            continue


def _record(message: Any) -> Record:
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple(message.headers),
        timestamp_ms=message.timestamp or 0,
    )


async def _started(part: Any, settings: ClientSettings) -> None:
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await part.start()
    except UnknownTopicOrPartitionError as error:
        await part.stop()
        raise NotFound(
            "The broker does not have Assay's topics. Is this an Assay system? Try `assay doctor`."
        ) from error
    except (KafkaError, TimeoutError, OSError) as error:
        await part.stop()
        address = settings.kafka_bootstrap_servers
        raise NotConnected(f"No broker answers at {address}. Is the system up? Try `assay doctor`.") from error


def _paused(consumer: AIOKafkaConsumer) -> list[TopicPartition]:
    """The partitions of a consumer that has just started, with nothing fetched before they are resumed.

    A broker answers a connection's requests in their order: places asked for behind a fetch that waits for records
    would wait as long."""
    partitions = sorted(consumer.assignment())
    consumer.pause(*partitions)
    return partitions


async def _rewind(consumer: AIOKafkaConsumer, partitions: list[TopicPartition], since: datetime | None) -> None:
    await consumer.seek_to_beginning(*partitions)
    if since is None:
        return
    moment = int(since.timestamp() * 1000)
    # The ends first: asked for after the places, they would lie behind a record that came in between.
    ends = await consumer.end_offsets(partitions)
    places = await consumer.offsets_for_times(dict.fromkeys(partitions, moment))
    for partition, place in places.items():
        consumer.seek(partition, place.offset if place is not None else ends[partition])


async def _read_all(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> bool:
    for partition, end in ends.items():
        if await consumer.position(partition) < end:
            return False
    return True

"""Kafka through FastStream: one subscriber over all topics, offsets committed by hand after the handlers.

Never lets FastStream judge a record: its parser drops what it cannot read, ours passes everything on.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from assay_schemas.envelope import Event, Record
from faststream import AckPolicy
from faststream.kafka import KafkaBroker as FastStreamBroker
from faststream.kafka.publisher.producer import AioKafkaFastProducerImpl

from assay_chassis.clock import Clock, SystemClock
from assay_chassis.errors import BrokerUnavailable
from assay_chassis.kafka_connection import bootstrap_servers, client_options, security
from assay_chassis.kafka_letters import KafkaLetters
from assay_chassis.kafka_probe import takes_records
from assay_chassis.kafka_reader import KafkaReader
from assay_chassis.kafka_records import decode_record, parse_record, record_of
from assay_chassis.kafka_writer import MAX_REQUEST_BYTES, REQUEST_TIMEOUT_MS, RawProducer, explained, publish
from assay_chassis.partitions import OnRecord, OnSeveral
from assay_chassis.settings import ServiceSettings
from assay_chassis.tasks import end

METADATA_MAX_AGE_MS = 10_000
FETCH_BYTES_OF_A_PARTITION = 512 * 1024
"""At most so much waits in the consumer, of which a partition that is paused loses all; a larger event comes alone."""
RETRY_BACKOFF_MS = 200
SESSION_TIMEOUT_MS, HEARTBEAT_MS = 10_000, 3_000
WRITES_FAIL_FOR_S = 120.0
PROBE_EVERY_S = 5.0


class ClosedWhereItFails(AioKafkaFastProducerImpl):
    """FastStream's producer, which closes a client that could not start: of each try one stayed open before."""

    async def connect(self, producer: AIOKafkaProducer, *arguments: Any, **options: Any) -> None:
        try:
            await super().connect(producer, *arguments, **options)
        except BaseException:
            await producer.stop()
            raise


class KafkaBroker:
    """A service's client of Kafka, and member of the consumer group that bears its name."""

    def __init__(self, settings: ServiceSettings, *, client_id: str = "assay", clock: Clock | None = None) -> None:
        self._settings = settings
        self._client_id = client_id
        self._clock = clock or SystemClock()
        self._raw = RawProducer(settings, client_id)
        self._topics: Sequence[str] = ()
        self._group = ""
        self._on_record: OnRecord | None = None
        self._on_several: OnSeveral | None = None
        self._faststream: FastStreamBroker | None = None
        self._reader: KafkaReader | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failing_since: float | None = None
        self._failures = 0
        self._failed_topics: set[str] = set()

    def subscribe(
        self, topics: Sequence[str], group: str, on_record: OnRecord, on_several: OnSeveral | None = None
    ) -> None:
        self._topics, self._group, self._on_record, self._on_several = list(topics), group, on_record, on_several

    async def start(self) -> None:
        broker = self._connectable()
        reader = self._subscriber(broker, self._on_record) if self._on_record is not None else None
        try:
            await broker.start()
        except UnknownTopicOrPartitionError as error:
            await broker.stop()
            raise BrokerUnavailable(
                f"Kafka lacks one of the topics {', '.join(self._topics)}: create them first; it is tried again"
            ) from error
        except (KafkaError, TimeoutError, OSError) as error:
            with suppress(KafkaError, TimeoutError, OSError):
                await broker.stop()
            raise explained(error, self._settings) from error
        self._faststream, self._reader = broker, reader
        self._tasks = [asyncio.create_task(self._probe_forever())]
        if reader is not None:
            letters = KafkaLetters(
                self._topics, partial(AIOKafkaConsumer, **client_options(self._settings)), self._clock
            )
            work = (reader.commit_forever(), reader.look_forever(), letters.look_forever())
            self._tasks += [asyncio.create_task(one) for one in work]

    def _connectable(self) -> FastStreamBroker:
        broker = FastStreamBroker(
            bootstrap_servers(self._settings),
            security=security(self._settings),
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            max_request_size=MAX_REQUEST_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            metadata_max_age_ms=METADATA_MAX_AGE_MS,
            allow_auto_create_topics=False,
            graceful_timeout=self._settings.shutdown_timeout_s,
            apply_types=False,
            logger=None,
        )
        broker.config.broker_config.producer = ClosedWhereItFails(parser=None, decoder=None)
        return broker

    def _subscriber(self, broker: FastStreamBroker, on_record: OnRecord) -> KafkaReader:
        reader = KafkaReader(self._topics, on_record, self._clock, self._settings.shutdown_timeout_s, self._on_several)
        subscriber = broker.subscriber(
            *self._topics,
            group_id=self._group,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            fetch_max_wait_ms=self._settings.kafka_fetch_max_wait_ms,
            max_partition_fetch_bytes=FETCH_BYTES_OF_A_PARTITION,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            listener=reader,
            parser=parse_record,
            decoder=decode_record,
        )
        reader.attach(subscriber, record_of)
        return reader

    async def stop(self) -> None:
        broker, self._faststream = self._faststream, None
        await end(self._tasks)
        self._tasks = []
        if self._reader is not None:
            await self._reader.drain()
        for part in (self._raw, broker):
            if part is not None:
                with suppress(KafkaError, TimeoutError, OSError):
                    await asyncio.wait_for(part.stop(), timeout=self._settings.shutdown_timeout_s)
        self._reader = None

    async def publish(self, *events: Event) -> None:
        if self._faststream is None:
            raise BrokerUnavailable("Kafka: not connected yet; it is tried again")
        try:
            await publish(self._faststream, self._settings, *events)
        except BrokerUnavailable:
            self._failing_since = self._failing_since or self._clock.monotonic()
            self._failures += 1
            self._failed_topics |= {event.type for event in events}
            raise
        self._writes_work()

    def _writes_work(self) -> None:
        self._failing_since = None
        self._failed_topics.clear()

    async def _probe_forever(self) -> None:
        """Where a write failed and no other follows for a while, nothing else would notice that Kafka is back."""
        while True:
            await self._clock.sleep(PROBE_EVERY_S)
            failures = self._failures
            if self._failing_since is None or not await takes_records(self._settings, set(self._failed_topics)):
                continue
            if failures == self._failures:
                self._writes_work()

    async def send(self, record: Record) -> None:
        await self._raw.send(record)

    def problems(self) -> list[str]:
        if self._faststream is None:
            return [f"kafka: not connected to {self._settings.kafka_bootstrap_servers}"]
        writes = ["kafka: publishing fails"] if self._failing_since is not None else []
        return writes + (self._reader.problems() if self._reader is not None else [])

    def failure(self) -> str | None:
        failing = self._failing_since
        if failing is not None and self._clock.monotonic() - failing > WRITES_FAIL_FOR_S:
            return f"publishing to Kafka has failed for {WRITES_FAIL_FOR_S:.0f} s"
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception() is not None:
                return f"a task of the Kafka client broke: {task.exception()!r}"
        return self._reader.failure() if self._reader is not None else None

    def lag(self, topic: str) -> float:
        return self._reader.lag(topic) if self._reader is not None else math.inf

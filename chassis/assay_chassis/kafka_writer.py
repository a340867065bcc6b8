"""Writing to Kafka: events through FastStream, records byte for byte through a producer of their own.

Never returns before every in-sync replica has the record.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from assay_schemas.envelope import Event, Record
from faststream.kafka import KafkaBroker as FastStreamBroker

from assay_chassis import telemetry
from assay_chassis.errors import BrokerUnavailable, EventTooLarge
from assay_chassis.kafka_connection import client_options
from assay_chassis.publishing import encode_checked
from assay_chassis.settings import ServiceSettings

REQUEST_TIMEOUT_MS = 15_000
MAX_REQUEST_BYTES = 16 * 1024 * 1024
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


def explained(error: BaseException, settings: ServiceSettings) -> BrokerUnavailable:
    """The error in words that name the setting to look at."""
    return BrokerUnavailable(
        f"Kafka at {settings.kafka_bootstrap_servers} (ASSAY_KAFKA_BOOTSTRAP_SERVERS): "
        f"{type(error).__name__}: {error}; it is tried again"
    )


async def publish(broker: FastStreamBroker, settings: ServiceSettings, *events: Event) -> None:
    """Write the events in order and wait for all acknowledgements. Raises BrokerUnavailable, EventTooLarge."""
    encoded = [(event, encode_checked(event)) for event in events]
    pending: list[Any] = []
    try:
        for event, (key, value, headers) in encoded:
            pending.append(
                await broker.publish(
                    value,
                    topic=event.type,
                    key=key or None,
                    headers={name: text.decode() for name, text in headers},
                    correlation_id=event.correlationid or event.id,
                    no_confirm=True,
                )
            )
    except (KafkaError, TimeoutError) as error:
        await asyncio.gather(*pending, return_exceptions=True)
        raise explained(error, settings) from error
    results = await asyncio.gather(*pending, return_exceptions=True)
    for event, result in zip(events, results, strict=True):
        if isinstance(result, _TOO_LARGE):
            raise EventTooLarge(f"event {event.type} {event.id}: Kafka refuses its size: {result}") from result
        if isinstance(result, BaseException):
            raise explained(result, settings) from result
        telemetry.count("events_published", topic=event.type)


class RawProducer:
    """Sends records exactly as they are; connects with the first one, which is rare: only dead letters go this way."""

    def __init__(self, settings: ServiceSettings, client_id: str) -> None:
        self._settings = settings
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def send(self, record: Record) -> None:
        """Raises BrokerUnavailable, and EventTooLarge where the broker takes no record of this size."""
        try:
            producer = await self._started()
            await producer.send_and_wait(
                record.topic, value=record.value, key=record.key or b"", headers=list(record.headers)
            )
        except _TOO_LARGE as error:
            raise EventTooLarge(f"record for {record.topic}: Kafka refuses its size: {error}") from error
        except (KafkaError, TimeoutError) as error:
            await self.stop()
            raise explained(error, self._settings) from error

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    **client_options(self._settings),
                    client_id=f"{self._client_id}-raw",
                    acks="all",
                    enable_idempotence=True,
                    max_request_size=MAX_REQUEST_BYTES,
                    request_timeout_ms=REQUEST_TIMEOUT_MS,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

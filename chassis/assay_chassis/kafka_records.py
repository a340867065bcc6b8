"""From a record as aiokafka hands it over to ours, through FastStream's parser and decoder hooks.

Never fails: headers may be null or not UTF-8, keys and values absent; `envelope.decode` judges them later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay_schemas.envelope import Record
from faststream.kafka.message import FAKE_CONSUMER, KafkaAckableMessage

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord


async def parse_record(message: ConsumerRecord) -> KafkaAckableMessage:
    """FastStream's message, carrying the raw record and no headers for FastStream to stumble over."""
    place = f"{message.topic}/{message.partition}/{message.offset}"
    return KafkaAckableMessage(
        body=message.value or b"",
        headers={},
        content_type=None,
        message_id=place,
        correlation_id=place,
        raw_message=message,
        consumer=FAKE_CONSUMER,
    )


async def decode_record(message: Any) -> Record:
    """Our record out of FastStream's message."""
    return record_of(message.raw_message)


def record_of(raw: ConsumerRecord) -> Record:
    """Our record out of aiokafka's."""
    return Record(
        topic=raw.topic,
        partition=raw.partition,
        offset=raw.offset,
        key=raw.key,
        value=raw.value,
        headers=raw.headers,
        timestamp_ms=raw.timestamp,
    )

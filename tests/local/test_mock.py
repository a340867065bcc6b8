"""librdkafka's mock cluster, the broker of machines without Java."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from assay_local.broker_admin import topic_names
from assay_schemas.topics import every_topic

pytestmark = pytest.mark.real


async def test_a_group_reads_what_was_produced(mock_kafka: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=mock_kafka) as producer:
        await producer.send_and_wait("eval.requested", b"one", key=b"k")
    consumer = AIOKafkaConsumer(
        "eval.requested", bootstrap_servers=mock_kafka, group_id="g", auto_offset_reset="earliest"
    )
    async with consumer:
        assert (await consumer.getone()).value == b"one"


def test_every_declared_topic_is_there_from_the_start(mock_kafka: str) -> None:
    assert {topic.name for topic in every_topic()} == topic_names(mock_kafka)

"""Whether Kafka would take records of topics now: every partition of theirs has a leader that answers.

Writes nothing, so it cannot see everything that makes a write fail: the next one tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from assay_chassis.kafka_connection import client_options
from assay_chassis.settings import ServiceSettings

TIMEOUT_S = 10.0


async def takes_records(settings: ServiceSettings, topics: Iterable[str]) -> bool:
    """Asks on a connection of its own, which is closed again: what failed before cannot mislead it."""
    producer = AIOKafkaProducer(**client_options(settings), client_id="assay-probe")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await producer.start()
            leaders = [leader for topic in topics for leader in await _leaders(producer, topic)]
            return all([leader >= 0 and await producer.client.ready(leader) for leader in set(leaders)])
    except (KafkaError, TimeoutError, OSError):
        return False
    finally:
        with suppress(KafkaError, TimeoutError, OSError):
            await producer.stop()


async def _leaders(producer: AIOKafkaProducer, topic: str) -> list[int]:
    """The leader of each partition, -1 where there is none. Raises KafkaError for a topic that is not there."""
    partitions = await producer.partitions_for(topic)
    known = (producer.client.cluster.leader_for_partition(TopicPartition(topic, number)) for number in partitions)
    return [-1 if leader is None else leader for leader in known]

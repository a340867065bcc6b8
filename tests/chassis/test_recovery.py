"""After a disaster: topics are read again from where it is asked, and what was published goes out anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from assay_chassis import recovery
from assay_chassis.database import Database
from assay_chassis.kafka import KafkaBroker
from assay_chassis.migrations import migrate
from assay_chassis.outbox import QUERIES, transaction
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event

pytestmark = pytest.mark.real


def event(number: int) -> Event:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(id=f"e{number}", source="/test", type="experiment.requested", time=at, data={}, key="k")


async def committed(settings: ServiceSettings) -> int:
    """Of the one partition that has records."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka_bootstrap_servers, group_id="scheduler")
    await consumer.start()
    try:
        places = await recovery._places(settings, ["experiment.requested"])
        ends = await consumer.end_offsets(places)
        (used,) = (place for place in places if ends[place])
        return await consumer.committed(TopicPartition(used.topic, used.partition)) or 0
    finally:
        await consumer.stop()


async def test_topics_are_read_again_from_the_beginning_or_from_a_time_on(kafka: str) -> None:
    settings = ServiceSettings(kafka_bootstrap_servers=kafka)
    broker = KafkaBroker(settings)
    await broker.start()
    await broker.publish(*(event(number) for number in range(3)))
    await broker.stop()
    later = datetime.now(UTC) + timedelta(hours=1)
    assert (await recovery.read_again(settings, later))["scheduler"] == 0
    assert await committed(settings) == 3
    assert (await recovery.read_again(settings))["scheduler"] == 3
    assert await committed(settings) == 0


async def test_what_was_published_goes_out_again(database_url: str) -> None:
    settings = ServiceSettings(database_url=database_url)
    for schema in recovery.READ_AGAIN:
        database = await Database.connect(database_url, schema=schema)
        try:
            await migrate(database, "assay_chassis")
            async with transaction(database) as opened:
                await opened.publish(event(1))
            async with database.connection() as connection:
                await connection.execute(QUERIES.mark_published, [1])
        finally:
            await database.close()
    assert await recovery.publish_again(settings) == {"scheduler": 1, "reporter": 1}
    assert await recovery.publish_again(settings) == {"scheduler": 0, "reporter": 0}

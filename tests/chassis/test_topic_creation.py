"""Topics created by the command that deployments run: all of them, once, with their settings."""

from __future__ import annotations

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from assay_chassis.errors import BrokerUnavailable
from assay_chassis.settings import ServiceSettings
from assay_chassis.topic_creation import create_topics
from assay_schemas.topics import every_topic

pytestmark = pytest.mark.real


async def test_every_declared_topic_is_made_once(kafka_server):
    settings = ServiceSettings(kafka_bootstrap_servers=kafka_server.bootstrap_servers)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap_servers)
    await admin.start()
    try:
        there = await admin.list_topics()
        made = await create_topics(settings, replication=1, partitions=2)
        assert set(made) == {topic.name for topic in every_topic()} - set(there)
        assert await create_topics(settings, replication=1) == []
    finally:
        await admin.close()


async def test_a_broker_that_cannot_replicate_says_so(kafka_server):
    settings = ServiceSettings(kafka_bootstrap_servers=kafka_server.bootstrap_servers)
    await create_topics(settings, replication=1)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap_servers)
    await admin.start()
    try:
        await admin.delete_topics(["gate.decided"])
    finally:
        await admin.close()
    with pytest.raises(BrokerUnavailable, match=r"gate\.decided"):
        await create_topics(settings, replication=3)

"""Real Apache Kafka as the embedded system starts it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from assay_local import jars
from assay_local.broker_admin import TopicSettings, create_topics, topic_names
from assay_local.component import Running, running
from assay_local.kafka import KafkaServer
from assay_schemas.topics import TOPICS, every_topic

pytestmark = pytest.mark.real
TOPIC = "experiment.requested"


async def produce(bootstrap: str, values: list[bytes], topic: str = TOPIC) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=b"k")


async def consume(bootstrap: str, count: int, topic: str = TOPIC, group: str = "readers") -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        records = [await consumer.getone() for _ in range(count)]
        await consumer.commit()
    return [record.value for record in records]


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[tuple[KafkaServer, Running]]:
    """A broker that this test alone may kill."""
    if reason := jars.why_unavailable():
        pytest.skip(f"real Kafka cannot run here: {reason}")
    server = KafkaServer(tmp_path / "kafka")
    with running(server) as process:
        yield server, process


async def test_a_group_reads_in_order_what_was_produced(kafka: str) -> None:
    sent = [b"%d" % number for number in range(20)]
    await produce(kafka, sent)
    assert await consume(kafka, len(sent)) == sent


def test_every_declared_topic_and_its_dead_letter_topic_is_there(kafka: str) -> None:
    assert {topic.name for topic in every_topic()} <= topic_names(kafka)
    assert f"{next(iter(TOPICS))}.dlq" in topic_names(kafka)


async def test_each_test_sees_empty_topics_and_new_groups(kafka: str) -> None:
    await produce(kafka, [b"mine"])
    assert await consume(kafka, 1) == [b"mine"]


async def test_a_killed_broker_comes_back_at_the_same_address_with_its_events(
    own_broker: tuple[KafkaServer, Running],
) -> None:
    server, process = own_broker
    address = server.bootstrap_servers
    create_topics(address, [TopicSettings("kept", 1)])
    await produce(address, [b"before"], "kept")
    process.kill()
    process.start()
    assert server.bootstrap_servers == address
    await produce(address, [b"after"], "kept")
    assert await consume(address, 2, "kept") == [b"before", b"after"]


def test_ports_are_kept_with_the_data_when_they_are_free(tmp_path: Path) -> None:
    if reason := jars.why_unavailable():
        pytest.skip(f"real Kafka cannot run here: {reason}")
    first, second = KafkaServer(tmp_path), KafkaServer(tmp_path)
    first.prepare()
    second.prepare()
    assert second.bootstrap_servers == first.bootstrap_servers
    assert json.loads((tmp_path / "ports.json").read_text())["broker"] == int(first.bootstrap_servers.split(":")[1])


def properties(server: KafkaServer) -> dict[str, str]:
    lines = (server.folder / "data" / "meta.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def test_the_tool_formats_the_first_folder_of_a_machine_and_the_next_are_formatted_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := jars.why_unavailable():
        pytest.skip(f"real Kafka cannot run here: {reason}")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "jars").symlink_to(jars.ensure_jars())
    for archive in jars.cache_folder().glob("*.jsa"):
        (cache / archive.name).symlink_to(archive)
    monkeypatch.setattr(jars, "cache_folder", lambda: cache)
    first, second = KafkaServer(tmp_path / "first"), KafkaServer(tmp_path / "second")
    first.prepare()
    monkeypatch.setattr(KafkaServer, "_format_by_tool", lambda _: pytest.fail("the tool was asked again"))
    second.prepare()
    one, other = properties(first), properties(second)
    assert one.keys() == other.keys()
    assert (one["version"], one["node.id"]) == (other["version"], other["node.id"])
    assert one["cluster.id"] != other["cluster.id"]
    assert one["directory.id"] != other["directory.id"]
    with running(second):
        create_topics(second.bootstrap_servers, [TopicSettings("kept", 1)])
        assert "kept" in topic_names(second.bootstrap_servers)
    second.prepare()
    assert properties(second) == other

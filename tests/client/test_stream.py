"""Following topics from a moment on, with a consumer that is no more than its offsets."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from assay import stream
from assay.settings import ClientSettings, load_settings
from assay.stream import _rewind

PARTITION = TopicPartition("experiment.rejected", 0)


class Offsets:
    """A partition to which a record is added between one question and the next."""

    def __init__(self) -> None:
        self.records: list[int] = []
        self.position = 0

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self.position = 0

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.position = offset

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {PARTITION: self._asked(len(self.records))}

    async def offsets_for_times(self, moments: dict[TopicPartition, int]) -> dict[TopicPartition, object]:
        later = [offset for offset, at in enumerate(self.records) if at >= moments[PARTITION]]
        return {PARTITION: self._asked(SimpleNamespace(offset=later[0]) if later else None)}

    def _asked(self, answer):
        self.records.append(2_000_000)
        return answer


async def test_a_record_that_comes_while_the_place_is_looked_up_is_read():
    consumer = Offsets()
    await _rewind(consumer, [PARTITION], datetime.fromtimestamp(1000, UTC))
    assert consumer.position == 0


async def test_without_a_moment_everything_is_read():
    consumer = Offsets()
    consumer.position = 7
    await _rewind(consumer, [PARTITION], None)
    assert consumer.position == 0


async def test_records_are_counted_by_the_offsets_and_none_is_read(monkeypatch):
    class Consumer:
        def __init__(self, *_: object, **__: object) -> None: ...

        async def start(self) -> None: ...

        async def stop(self) -> None: ...

        def assignment(self) -> set[TopicPartition]:
            return {PARTITION, TopicPartition(PARTITION.topic, 1)}

        def pause(self, *partitions: TopicPartition) -> None: ...

        async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(partitions, 1_000_000)

        async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(partitions, 1_500_000)

    monkeypatch.setattr(stream, "AIOKafkaConsumer", Consumer)
    assert await stream.count(ClientSettings(kafka_bootstrap_servers="x:1"), PARTITION.topic) == 1_000_000


class Held(Offsets):
    """A consumer of one record, whose broker answers nothing while a fetch waits."""

    def __init__(self, *_: object, fetch_max_wait_ms: int, **__: object) -> None:
        super().__init__()
        self.fetches = True
        self.fetch_max_wait_ms = fetch_max_wait_ms

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    def pause(self, *partitions: TopicPartition) -> None:
        self.fetches = PARTITION not in partitions

    def resume(self, *partitions: TopicPartition) -> None:
        self.fetches = PARTITION in partitions

    def _asked(self, answer):
        assert not self.fetches
        return answer

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[SimpleNamespace]]:
        assert self.fetches
        assert self.fetch_max_wait_ms == 700
        fields = {"key": None, "value": b"{}", "headers": (), "timestamp": 0}
        return {PARTITION: [SimpleNamespace(topic=PARTITION.topic, partition=0, offset=4, **fields)]}


async def test_places_are_asked_for_before_a_fetch_waits_on_the_same_connection(monkeypatch):
    monkeypatch.setattr(stream, "AIOKafkaConsumer", Held)
    settings = ClientSettings(kafka_bootstrap_servers="x:1", kafka_fetch_max_wait_ms=700)
    found = stream.records(settings, [PARTITION.topic], datetime.fromtimestamp(1000, UTC))
    assert (await anext(found)).offset == 4
    await found.aclose()


@pytest.mark.parametrize(("kafka", "given", "expected"), [("apache", None, 500), ("mock", None, 20), ("mock", 50, 50)])
def test_a_fetch_waits_long_but_at_the_mock_broker(tmp_path, monkeypatch, kafka, given, expected):
    system = {"kafka": kafka, "kafka_bootstrap_servers": "127.0.0.1:1", "object_store": tmp_path.as_uri()}
    (tmp_path / "system.json").write_text(json.dumps(system))
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    assert load_settings(kafka_fetch_max_wait_ms=given).kafka_fetch_max_wait_ms == expected


def test_what_the_kafka_library_tries_again_is_not_said_in_the_terminal():
    assert any(isinstance(one, logging.NullHandler) for one in logging.getLogger("aiokafka").handlers)

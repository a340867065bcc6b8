"""Following topics from a moment on, with a consumer that is no more than its offsets."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from types import SimpleNamespace

from aiokafka import TopicPartition
from assay import stream
from assay.settings import ClientSettings
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

        async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(partitions, 1_000_000)

        async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
            return dict.fromkeys(partitions, 1_500_000)

    monkeypatch.setattr(stream, "AIOKafkaConsumer", Consumer)
    assert await stream.count(ClientSettings(kafka_bootstrap_servers="x:1"), PARTITION.topic) == 1_000_000


def test_what_the_kafka_library_tries_again_is_not_said_in_the_terminal():
    assert any(isinstance(one, logging.NullHandler) for one in logging.getLogger("aiokafka").handlers)

"""What the reader of Kafka concludes from what its consumer tells, with a consumer and a clock made up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from assay_chassis.clock import ManualClock
from assay_chassis.kafka_reader import JOIN_WITHIN_S, STUCK_AFTER_S, KafkaReader
from assay_schemas.envelope import Record

TOPIC = "job.progressed"
PARTITION = TopicPartition(TOPIC, 0)


class Consumer:
    """Says what a test wants an aiokafka consumer to say."""

    def __init__(self) -> None:
        self.end = self.read = 0
        self.committed_offsets: list[dict[TopicPartition, int]] = []
        self.fails = False
        self.first_answers = asyncio.Event()
        self.first_answers.set()
        self.asked_to_commit = 0
        self.paused: set[TopicPartition] = set()
        self.pauses = 0
        self.fetched: list[Record] = []

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        assert timeout_ms == 0
        if self.fails:
            raise KafkaError
        found, self.fetched = self.fetched[:max_records], self.fetched[max_records:]
        self.read = max([self.read, *(record.offset + 1 for record in found)])
        return {PARTITION: found} if found else {}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0}

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {PARTITION: self.end}

    async def position(self, partition: TopicPartition) -> int:
        return self.read

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.asked_to_commit += 1
        if self.asked_to_commit == 1:
            await self.first_answers.wait()
        if self.fails:
            raise CommitFailedError
        self.committed_offsets.append(offsets)

    def pause(self, partition: TopicPartition) -> None:
        self.paused.add(partition)
        self.pauses += 1

    def resume(self, partition: TopicPartition) -> None:
        self.paused.discard(partition)


class Setup:
    def __init__(self) -> None:
        self.clock, self.consumer, self.held = ManualClock(), Consumer(), asyncio.Event()
        self.held.set()
        self.handled: list[int] = []
        self.reader = KafkaReader([TOPIC], self._on_record, self.clock, 0.1)
        task = asyncio.get_running_loop().create_future()
        self.subscriber = _Subscriber(self.consumer, task)
        self.reader.attach(self.subscriber)

    async def _on_record(self, record: Record) -> None:
        await self.held.wait()
        self.handled.append(record.offset)

    async def give(self, offset: int) -> None:
        self.consumer.read = offset + 1
        await self.reader.take(record(offset))

    async def give_with_fetched(self, offset: int, fetched: range) -> None:
        """As the broker's client does, when others were fetched besides."""
        self.reader.attach(self.subscriber, lambda raw: raw)
        self.consumer.read = offset + 1
        self.consumer.fetched = [record(number) for number in fetched]
        await self.subscriber.take(record(offset))


def record(offset: int) -> Record:
    return Record(topic=TOPIC, partition=0, offset=offset, value=b"{}")


class _Subscriber(SimpleNamespace):
    def __init__(self, consumer: Consumer, task: asyncio.Future[None]) -> None:
        super().__init__(consumer=consumer, running=True, tasks=[task])

    def __call__(self, take: object) -> None:
        self.take = take


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    made = Setup()
    loops = [asyncio.create_task(made.reader.commit_forever()), asyncio.create_task(made.reader.look_forever())]
    yield made
    for task in loops:
        task.cancel()
    await made.reader.drain()


async def test_nothing_is_ready_before_partitions_are_assigned(setup: Setup) -> None:
    assert "not assigned" in setup.reader.problems()[0]
    assert setup.reader.lag(TOPIC) == math.inf
    await setup.reader.on_partitions_assigned({PARTITION})
    await setup.clock.advance(2)
    assert setup.reader.problems() == []
    assert setup.reader.lag(TOPIC) <= 1


async def test_only_what_was_handled_is_committed(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    await setup.give(0)
    await setup.clock.advance(0.2)
    setup.held.clear()
    await setup.give(1)
    await setup.clock.advance(0.5)
    assert setup.consumer.committed_offsets == [{PARTITION: 1}]


async def test_a_commit_that_failed_is_made_again(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    setup.consumer.fails = True
    await setup.give(0)
    await setup.clock.advance(0.5)
    setup.consumer.fails = False
    await setup.clock.advance(2)
    assert setup.consumer.committed_offsets == [{PARTITION: 1}]


async def test_handled_records_are_committed_when_the_partition_is_taken_away(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    await setup.give(0)
    await asyncio.sleep(0.01)
    await setup.reader.on_partitions_revoked({PARTITION})
    assert setup.consumer.committed_offsets == [{PARTITION: 1}]


async def test_a_commit_under_way_is_given_up_when_the_partition_is_taken_away(setup: Setup) -> None:
    setup.consumer.first_answers.clear()
    await setup.reader.on_partitions_assigned({PARTITION})
    await setup.give(0)
    await setup.clock.advance(0.2)
    assert setup.consumer.asked_to_commit == 1
    await setup.give(1)
    await asyncio.sleep(0.01)
    await setup.reader.on_partitions_revoked({PARTITION})
    assert setup.consumer.committed_offsets == [{PARTITION: 2}]
    setup.consumer.first_answers.set()
    await asyncio.sleep(0.01)
    assert setup.consumer.committed_offsets == [{PARTITION: 2}]


async def test_a_long_queue_pauses_its_partition_until_it_is_short_again(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    setup.held.clear()
    for offset in range(250):
        await setup.give(offset)
    assert setup.consumer.paused == {PARTITION}
    setup.held.set()
    await asyncio.sleep(0.05)
    assert setup.consumer.paused == set()


async def test_what_was_fetched_with_a_record_is_handled_in_order_before_more_is_read(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    await asyncio.sleep(0)
    await setup.give_with_fetched(0, range(1, 300))
    assert setup.handled == list(range(300))
    assert setup.consumer.pauses == 0


async def test_nothing_that_was_fetched_seems_handled_before_it_is(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    setup.held.clear()
    await setup.give_with_fetched(0, range(1, 300))
    setup.consumer.end = 300
    await setup.clock.advance(30)
    assert setup.reader.lag(TOPIC) > 25
    assert setup.consumer.paused == {PARTITION}
    assert setup.consumer.committed_offsets == []


async def test_a_failure_to_fetch_more_loses_no_record(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    await asyncio.sleep(0)
    setup.consumer.fails = True
    await setup.give_with_fetched(0, range(1, 3))
    setup.consumer.fails = False
    await setup.give_with_fetched(1, range(2, 3))
    assert setup.handled == [0, 1, 2]


async def test_records_that_are_never_fetched_ask_for_a_restart(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    setup.consumer.end = 5
    await setup.clock.advance(STUCK_AFTER_S - 5)
    assert setup.reader.failure() is None
    await setup.clock.advance(10)
    assert "fetched nothing" in (setup.reader.failure() or "")


async def test_a_record_held_for_long_is_not_a_stuck_consumer(setup: Setup) -> None:
    await setup.reader.on_partitions_assigned({PARTITION})
    setup.held.clear()
    setup.consumer.end = 5
    await setup.give(0)
    await setup.clock.advance(3 * STUCK_AFTER_S)
    assert setup.reader.failure() is None
    assert setup.reader.lag(TOPIC) > 2 * STUCK_AFTER_S


async def test_a_group_that_is_never_joined_asks_for_a_restart(setup: Setup) -> None:
    await setup.clock.advance(JOIN_WITHIN_S + 1)
    assert "not joined" in (setup.reader.failure() or "")

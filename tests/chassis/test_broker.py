"""The contract of a broker, for every broker there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from assay_chassis.broker import Broker
from assay_chassis.errors import EventTooLarge
from assay_schemas.envelope import Event, Record, decode

BrokerFactory = Callable[[], Broker]
TOPIC = "job.progressed"


def event(number: int, key: str = "k", topic: str = TOPIC, **data: object) -> Event:
    return Event(
        id=f"e{number}", source="/test", type=topic, time="2026-01-01T00:00:00Z", data={"n": number, **data}, key=key
    )


class Collector:
    """Keeps what it is given and lets a test wait for it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._more = asyncio.Event()

    async def __call__(self, record: Record) -> None:
        self.records.append(record)
        self._more.set()

    async def wait_for(self, count: int, timeout_s: float = 20) -> list[Record]:
        async with asyncio.timeout(timeout_s):
            while len(self.records) < count:
                self._more.clear()
                await self._more.wait()
        return self.records


@asynccontextmanager
async def reading(new_broker: BrokerFactory, on_record, group="test", topics=(TOPIC,)) -> AsyncIterator[Broker]:
    broker = new_broker()
    broker.subscribe(list(topics), group, on_record)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


async def test_events_arrive_as_they_were_published(new_broker: BrokerFactory) -> None:
    got = Collector()
    async with reading(new_broker, got) as broker:
        await broker.publish(event(1, text="naïve ☃"))
        (record,) = await got.wait_for(1)
    assert decode(record) == event(1, text="naïve ☃")


async def test_events_written_before_the_group_existed_are_read(new_broker: BrokerFactory) -> None:
    writer = new_broker()
    await writer.start()
    await writer.publish(*(event(number) for number in range(5)))
    await writer.stop()
    got = Collector()
    async with reading(new_broker, got):
        assert [decode(record).data["n"] for record in await got.wait_for(5)] == list(range(5))


async def test_events_of_one_key_keep_their_order(new_broker: BrokerFactory) -> None:
    got = Collector()
    async with reading(new_broker, got) as broker:
        await broker.publish(*(event(number, key=f"key-{number % 4}") for number in range(200)))
        events = [decode(record) for record in await got.wait_for(200)]
    for key in {found.key for found in events}:
        numbers = [found.data["n"] for found in events if found.key == key]
        assert numbers == sorted(numbers)


async def test_what_was_handled_is_not_read_again(new_broker: BrokerFactory) -> None:
    got = Collector()
    async with reading(new_broker, got) as broker:
        await broker.publish(event(1))
        await got.wait_for(1)
    again = Collector()
    async with reading(new_broker, again) as broker:
        await broker.publish(event(2))
        assert [decode(record).id for record in await again.wait_for(1)] == ["e2"]


async def test_what_was_in_hand_when_a_reader_died_is_read_again(new_broker: BrokerFactory) -> None:
    started = asyncio.Event()

    async def hang(_: Record) -> None:
        started.set()
        await asyncio.sleep(3600)

    async with reading(new_broker, hang) as broker:
        await broker.publish(event(1))
        async with asyncio.timeout(20):
            await started.wait()
    got = Collector()
    async with reading(new_broker, got):
        assert decode((await got.wait_for(1))[0]).id == "e1"


async def test_two_groups_each_read_everything(new_broker: BrokerFactory) -> None:
    one, other = Collector(), Collector()
    async with reading(new_broker, one, "one") as broker, reading(new_broker, other, "other"):
        await broker.publish(event(1))
        await one.wait_for(1)
        await other.wait_for(1)


async def test_a_slow_partition_does_not_hold_up_the_others(new_broker: BrokerFactory) -> None:
    held, got = asyncio.Event(), Collector()

    async def on_record(record: Record) -> None:
        if record.key == b"slow":
            await held.wait()
        await got(record)

    async with reading(new_broker, on_record) as broker:
        await broker.publish(event(0, key="slow"), *(event(n, key=f"key-{n}") for n in range(1, 20)))
        others = await got.wait_for(5)
        assert all(record.key != b"slow" for record in others)
        held.set()
        await got.wait_for(20)


async def test_records_that_wait_are_offered_together_and_refused_ones_come_one_by_one(
    new_broker: BrokerFactory,
) -> None:
    offered: list[list[int]] = []
    got = Collector()

    async def on_several(records: Sequence[Record]) -> bool:
        numbers = [decode(record).data["n"] for record in records]
        offered.append(numbers)
        if 7 in numbers:
            return False
        for record in records:
            await got(record)
        return True

    writer = new_broker()
    await writer.start()
    await writer.publish(*(event(number) for number in range(130)))
    await writer.stop()
    broker = new_broker()
    broker.subscribe([TOPIC], "test", got, on_several)
    await broker.start()
    try:
        records = await got.wait_for(130)
    finally:
        await broker.stop()
    assert [decode(record).data["n"] for record in records] == list(range(130))
    refused = [numbers for numbers in offered if 7 in numbers]
    assert len(refused) == 1
    assert max(map(len, offered)) > 1


async def test_a_raw_record_is_passed_on_byte_for_byte(new_broker: BrokerFactory) -> None:
    got = Collector()
    async with reading(new_broker, got) as broker:
        headers = (("plain", b"x"), ("null", None), ("bad", b"\xff\x00"), ("plain", b"again"))
        await broker.send(Record(topic=TOPIC, key=b"\xfe", value=b"\xff\xfe not json", headers=headers))
        (record,) = await got.wait_for(1)
    assert (record.key, record.value, tuple(map(tuple, record.headers))) == (b"\xfe", b"\xff\xfe not json", headers)


async def test_a_tombstone_arrives_as_one(new_broker: BrokerFactory) -> None:
    got = Collector()
    async with reading(new_broker, got) as broker:
        await broker.send(Record(topic=TOPIC, key=b"k", value=None))
        assert (await got.wait_for(1))[0].value is None


async def test_an_event_over_the_limit_is_refused_before_anything_is_written(new_broker: BrokerFactory) -> None:
    got = Collector()
    async with reading(new_broker, got) as broker:
        with pytest.raises(EventTooLarge, match="reference"):
            await broker.publish(event(1), event(2, big="x" * 300_000))
        await broker.publish(event(3))
        assert [decode(record).id for record in await got.wait_for(1)] == ["e3"]


async def test_the_lag_is_small_when_caught_up_and_grows_while_a_record_is_held(new_broker: BrokerFactory) -> None:
    held, got = asyncio.Event(), Collector()

    async def on_record(record: Record) -> None:
        await held.wait()
        await got(record)

    async with reading(new_broker, on_record) as broker:
        await broker.publish(event(1))
        async with asyncio.timeout(20):
            while broker.lag(TOPIC) < 2:
                await asyncio.sleep(0.05)
            held.set()
            while broker.lag(TOPIC) > 1.5:
                await asyncio.sleep(0.05)
        assert len(got.records) == 1
        assert broker.problems() == []
        assert broker.failure() is None

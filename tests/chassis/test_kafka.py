"""What only real Kafka can show: two members of a group, a record that is retried for long, a consumer that dies."""

from __future__ import annotations

import asyncio
import gc

import pytest
from assay_chassis import kafka as kafka_module
from assay_chassis import kafka_reader
from assay_chassis.clock import SystemClock
from assay_chassis.delivery import Delivery
from assay_chassis.errors import BrokerUnavailable, Transient
from assay_chassis.kafka import KafkaBroker
from assay_chassis.kafka_probe import takes_records
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event, Record, decode

pytestmark = pytest.mark.real
TOPIC = "job.progressed"


def event(number: int, key: str) -> Event:
    return Event(id=f"e{number}", source="/test", type=TOPIC, time="2026-01-01T00:00:00Z", data={"n": number}, key=key)


def client(servers: str) -> KafkaBroker:
    return KafkaBroker(ServiceSettings(kafka_bootstrap_servers=servers, shutdown_timeout_s=3))


async def test_members_share_the_partitions_and_one_takes_over_from_the_other(kafka: str) -> None:
    handled: list[tuple[str, int]] = []
    brokers = {}
    for name in ("one", "two"):

        async def on_record(record: Record, name: str = name) -> None:
            await asyncio.sleep(0.002)
            handled.append((name, decode(record).data["n"]))

        brokers[name] = client(kafka)
        brokers[name].subscribe([TOPIC], "shared", on_record)
    await asyncio.gather(*(broker.start() for broker in brokers.values()))
    async with asyncio.timeout(60):
        while any(broker.problems() for broker in brokers.values()):
            await asyncio.sleep(0.05)
        await brokers["one"].publish(*(event(number, f"key-{number % 50}") for number in range(300)))
        while {number for _, number in handled} != set(range(300)):
            await asyncio.sleep(0.05)
        assert {name for name, _ in handled} == {"one", "two"}
        await brokers["one"].publish(*(event(number, f"key-{number % 50}") for number in range(300, 600)))
        await brokers["one"].stop()
        while {number for _, number in handled} != set(range(600)):
            await asyncio.sleep(0.05)
    await brokers["two"].stop()
    for key in range(50):
        numbers = list(dict.fromkeys(number for _, number in handled if number % 50 == key))
        assert numbers == sorted(numbers)


async def test_a_try_to_connect_while_kafka_is_away_leaves_nothing_open() -> None:
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))
    away = client("127.0.0.1:1")

    async def on_record(record: Record) -> None:
        raise AssertionError(record)

    away.subscribe([TOPIC], "away", on_record)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            await away.start()
    gc.collect()
    assert complaints == []


async def test_a_record_tried_for_long_holds_only_its_partition_and_keeps_the_membership(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_reader, "PAUSE_ABOVE", 20)
    monkeypatch.setattr(kafka_reader, "RESUME_BELOW", 5)
    broken, handled = True, []

    async def handle(given: Event) -> None:
        if given.key == "poison" and broken:
            raise Transient("not yet")
        handled.append(given)

    broker = client(kafka)
    delivery = Delivery("test", broker, SystemClock())
    delivery.on(TOPIC, handle)
    broker.subscribe([TOPIC], "test", delivery.deliver)
    await broker.start()
    async with asyncio.timeout(60):
        await broker.publish(*(event(number, "poison") for number in range(200)))
        await broker.publish(*(event(1000 + number, f"key-{number}") for number in range(30)))
        while len(handled) < 10:
            await asyncio.sleep(0.05)
        await asyncio.sleep(3)
        assert not any(given.key == "poison" for given in handled)
        assert broker.problems() == []
        assert broker.lag(TOPIC) > 2
        assert next(iter(delivery.waiting.values())).endswith("Transient: not yet")
        broken = False
        while len(handled) < 230:
            await asyncio.sleep(0.05)
    assert [given.data["n"] for given in handled if given.key == "poison"] == list(range(200))
    await broker.stop()


async def test_a_consumer_that_ended_by_itself_asks_for_a_restart(kafka: str) -> None:
    async def ignore(_: Record) -> None:
        return None

    broker = client(kafka)
    broker.subscribe([TOPIC], "test", ignore)
    await broker.start()
    assert broker.failure() is None
    reader = broker._reader
    assert reader is not None
    assert reader.consumer is not None
    await reader.consumer.stop()
    async with asyncio.timeout(10):
        while broker.failure() is None:
            await asyncio.sleep(0.05)
    await broker.stop()


async def test_topics_that_do_not_exist_are_waited_for_by_name(kafka: str) -> None:
    async def ignore(_: Record) -> None:
        return None

    broker = client(kafka)
    broker.subscribe([TOPIC, "no.such.topic"], "test", ignore)
    with pytest.raises(BrokerUnavailable, match=r"no\.such\.topic"):
        await broker.start()


async def test_a_publish_that_failed_once_is_forgiven_when_kafka_answers_without_another_one(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise BrokerUnavailable("not now")

    monkeypatch.setattr(kafka_module, "PROBE_EVERY_S", 0.05)
    broker = client(kafka)
    await broker.start()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(kafka_module, "publish", refuse)
            with pytest.raises(BrokerUnavailable):
                await broker.publish(event(1, "key"))
        assert broker.problems() == ["kafka: publishing fails"]
        async with asyncio.timeout(20):
            while broker.problems():
                await asyncio.sleep(0.02)
        assert broker.failure() is None
    finally:
        await broker.stop()


async def test_a_broker_that_is_not_there_takes_no_records() -> None:
    assert not await takes_records(ServiceSettings(kafka_bootstrap_servers="127.0.0.1:1"), [TOPIC])


async def test_a_broker_that_is_not_there_is_a_transient_error_that_names_the_setting() -> None:
    broker = client("127.0.0.1:1")
    with pytest.raises(BrokerUnavailable, match="ASSAY_KAFKA_BOOTSTRAP_SERVERS"):
        await broker.start()
    assert broker.problems()

"""Raw records of every kind on every broker: each ends where the contract says, and the next one is handled.

The scheduler's own judgements (rejected specifications, unknown jobs) are tested with the scheduler.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from assay_chassis.broker import Broker
from assay_chassis.clock import SystemClock
from assay_chassis.delivery import Delivery
from assay_schemas.envelope import Event, Record
from assay_schemas.topics import dead_letter_topic

TOPIC = "experiment.requested"
MINIMAL = b'{"name": "minimal"}'
JSON = ("content-type", b"application/json")


def ce(**attributes: str) -> tuple[tuple[str, bytes], ...]:
    given = {"specversion": "1.0", "type": TOPIC, "source": "/x", **attributes}
    return tuple((f"ce_{name}", value.encode()) for name, value in given.items())


@dataclass(frozen=True)
class Case:
    name: str
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    id: str = ""
    reason: str = ""

    @property
    def record(self) -> Record:
        return Record(topic=TOPIC, key=b"k", value=self.value, headers=self.headers)


ACCEPTED = [
    Case("plain JSON", MINIMAL),
    Case("binary CloudEvent", MINIMAL, (*ce(id="e1", source="/notebook"), JSON), id="e1"),
    Case(
        "structured CloudEvent",
        b'{"specversion":"1.0","id":"e2","type":"experiment.requested","source":"/p","data":' + MINIMAL + b"}",
        (("content-type", b"application/cloudevents+json"),),
        id="e2",
    ),
    Case("newer minor version", b'{"name": "minimal", "novelty": 1}', ce(id="e3", dataschema=f"{TOPIC}/1.9"), id="e3"),
    Case("null header", MINIMAL, (("ce_type", None),)),
    Case("header that is not UTF-8", MINIMAL, (("ce_id", b"\xff\x00"),)),
]
DEAD = [
    Case("not JSON", b"hello", reason="not JSON"),
    Case("empty", b"", reason="not JSON"),
    Case("tombstone", None, reason="tombstone"),
    Case("not UTF-8", bytes.fromhex("fffe00ff"), reason="not JSON"),
    Case("a list", b"[1,2]", reason="not an object"),
    Case("wrong type for the topic", b"{}", ce(id="e4", type="eval.completed"), reason="does not belong"),
    Case("deep nesting", b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}", reason="not JSON"),
    Case("too large", b'{"a": "' + b"x" * 300 * 1024 + b'"}', reason="over the limit"),
    Case("NaN", b'{"base_model": "x", "seeds": NaN}', reason="not JSON"),
    Case("unreadable headers on a dead record", b"hello", (("null", None), ("bad", b"\xff")), reason="not JSON"),
]


class Service:
    """A service of one handler on a broker, and a reader of its dead letters."""

    def __init__(self, new_broker: Callable[[], Broker]) -> None:
        self.handled: asyncio.Queue[Event] = asyncio.Queue()
        self.letters: asyncio.Queue[Record] = asyncio.Queue()
        self.broker, self._reader = new_broker(), new_broker()
        delivery = Delivery("scheduler", self.broker, SystemClock())
        delivery.on(TOPIC, self.handled.put)
        self.broker.subscribe(delivery.topics, "scheduler", delivery.deliver)
        self._reader.subscribe([dead_letter_topic(TOPIC)], "letters", self.letters.put)

    async def __aenter__(self) -> Service:
        await asyncio.gather(self.broker.start(), self._reader.start())
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self.broker.stop(), self._reader.stop())


async def test_every_record_ends_where_the_contract_says(new_broker: Callable[[], Broker]) -> None:
    async with asyncio.timeout(60), Service(new_broker) as service:
        for case in ACCEPTED:
            await service.broker.send(case.record)
            event = await service.handled.get()
            assert event.data["name"] == "minimal", case.name
            assert event.type == TOPIC
            assert (event.id == case.id) if case.id else event.id.startswith(f"{TOPIC}/"), case.name
        for number, case in enumerate(DEAD):
            await service.broker.send(case.record)
            letter = await service.letters.get()
            headers = dict(letter.headers)
            assert (letter.key, letter.value) == (b"k", case.value), case.name
            assert tuple(map(tuple, letter.headers))[: len(case.headers)] == case.headers, case.name
            assert case.reason in headers["assay_reason"].decode(), case.name
            assert headers["assay_error_class"] == b"Unreadable"
            assert headers["assay_source"].decode().startswith(f"{TOPIC}/")
            await service.broker.send(Record(topic=TOPIC, key=b"k", value=MINIMAL, headers=ce(id=f"next-{number}")))
            assert (await service.handled.get()).id == f"next-{number}", case.name
        assert service.handled.empty()
        assert service.letters.empty()


@pytest.mark.real
async def test_a_record_near_the_brokers_limit_is_dead_with_all_its_bytes(kafka: str) -> None:
    from assay_chassis.kafka import KafkaBroker
    from assay_chassis.settings import ServiceSettings

    settings = ServiceSettings(kafka_bootstrap_servers=kafka)
    large, largest = b"x" * 900_000, b"y" * (1024 * 1024 - 120)
    async with asyncio.timeout(60), Service(lambda: KafkaBroker(settings)) as service:
        await service.broker.send(Record(topic=TOPIC, key=b"k", value=large))
        assert (await service.letters.get()).value == large
        await service.broker.send(Record(topic=TOPIC, key=b"k", value=largest))
        letter = await service.letters.get()
        assert largest.startswith(letter.value or b"-")
        assert dict(letter.headers)["assay_truncated_from"] == str(len(largest)).encode()
        await service.broker.send(Record(topic=TOPIC, key=b"k", value=MINIMAL, headers=ce(id="next")))
        assert (await service.handled.get()).id == "next"

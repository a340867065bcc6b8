"""What becomes of a record: handled, tried again, or dead with its reason, and the next one is handled."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from assay_chassis.clock import ManualClock, SystemClock
from assay_chassis.delivery import Delivery, Handle
from assay_chassis.errors import BrokerUnavailable, EventTooLarge, Refused, Transient
from assay_chassis.retry import Backoff
from assay_schemas.envelope import Event, Record
from pydantic import BaseModel

TOPIC = "training.completed"
SOON = Backoff(first=0.001, longest=0.002)
RECORD = Record(topic=TOPIC, partition=1, offset=7, key=b"k", value=b'{"n": 1}', headers=(("kept", None),))


class Letters:
    """Takes dead letters, failing first with what it was given."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.records: list[Record] = []

    async def send(self, record: Record) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.records.append(record)


def delivery(handle: Handle, letters: Letters, **options: float) -> Delivery:
    made = Delivery("trainer", letters, SystemClock(), backoff=SOON, **options)
    made.on(TOPIC, handle)
    return made


class Handler:
    """Fails with each given error in turn, then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls: list[Event] = []

    async def __call__(self, event: Event) -> None:
        self.calls.append(event)
        if self.errors:
            raise self.errors.pop(0)


class SmallBroker(Letters):
    """Takes no record over 128 KiB, whatever of it is large."""

    async def send(self, record: Record) -> None:
        size = len(record.key or b"") + len(record.value or b"")
        if size + sum(len(value or b"") for _, value in record.headers) > 128 * 1024:
            raise EventTooLarge("over the limit")
        await super().send(record)


@pytest.mark.parametrize("large", [{"key": b"k" * 200_000}, {"headers": (("foreign", b"h" * 200_000),)}])
async def test_a_letter_whose_key_or_headers_are_too_large_is_cut_there(large: dict[str, object]) -> None:
    letters = SmallBroker()
    async with asyncio.timeout(5):
        await delivery(Handler(Refused("no")), letters).deliver(RECORD.model_copy(update=large))
    (letter,) = letters.records
    assert ("assay_reason", b"no") in letter.headers
    assert letter.value == RECORD.value


async def test_a_handled_record_leaves_no_letter() -> None:
    handler, letters = Handler(), Letters()
    await delivery(handler, letters).deliver(RECORD)
    assert [event.data for event in handler.calls] == [{"n": 1}]
    assert letters.records == []


async def test_a_refused_event_is_dead_at_once_with_the_reason_and_its_place() -> None:
    handler, letters = Handler(Refused("no such job")), Letters()
    await delivery(handler, letters).deliver(RECORD)
    (letter,) = letters.records
    assert len(handler.calls) == 1
    assert (letter.topic, letter.key, letter.value) == (f"{TOPIC}.dlq", RECORD.key, RECORD.value)
    assert list(letter.headers) == [
        ("kept", None),
        ("assay_reason", b"no such job"),
        ("assay_error_class", b"Refused"),
        ("assay_service", b"trainer"),
        ("assay_source", b"training.completed/1/7"),
    ]


async def test_a_payload_that_does_not_fit_its_model_is_dead_at_once() -> None:
    class Payload(BaseModel):
        missing: int

    async def handle(event: Event) -> None:
        Payload.model_validate(event.data)

    letters = Letters()
    await delivery(handle, letters).deliver(RECORD)
    headers = dict(letters.records[0].headers)
    assert headers["assay_error_class"] == b"ValidationError"
    assert headers["assay_reason"] == b"missing: is required. Add it"


@pytest.mark.parametrize("error", [Transient("down"), ConnectionResetError("gone"), TimeoutError()])
async def test_what_a_retry_may_mend_is_tried_until_it_works(error: Exception) -> None:
    handler, letters = Handler(*[error] * 12), Letters()
    await delivery(handler, letters).deliver(RECORD)
    assert len(handler.calls) == 13
    assert letters.records == []


async def test_an_unexpected_error_is_dead_after_five_tries() -> None:
    handler, letters = Handler(*[KeyError("bug")] * 99), Letters()
    await delivery(handler, letters).deliver(RECORD)
    assert len(handler.calls) == 5
    assert dict(letters.records[0].headers)["assay_reason"] == b"'bug'"


async def test_an_unexpected_error_that_goes_away_leaves_no_letter() -> None:
    handler, letters = Handler(KeyError("bug"), KeyError("bug")), Letters()
    await delivery(handler, letters).deliver(RECORD)
    assert letters.records == []


async def test_a_handler_that_hangs_is_ended_and_dead_after_five_tries() -> None:
    async def hang(_: Event) -> None:
        await asyncio.sleep(60)

    letters = Letters()
    await delivery(hang, letters, handler_timeout_s=0.01).deliver(RECORD)
    assert dict(letters.records[0].headers)["assay_error_class"] == b"HandlerTimedOut"


async def test_a_letter_the_broker_cannot_take_now_is_sent_later() -> None:
    letters = Letters(BrokerUnavailable("down"), BrokerUnavailable("down"))
    await delivery(Handler(Refused("no")), letters).deliver(RECORD)
    assert len(letters.records) == 1


async def test_a_letter_too_large_for_the_broker_keeps_its_beginning() -> None:
    letters = Letters(EventTooLarge("too large"))
    large = RECORD.model_copy(update={"value": b"x" * 2_000_000})
    await delivery(Handler(), letters).deliver(large)
    (letter,) = letters.records
    assert letter.value == b"x" * 65536
    assert dict(letter.headers)["assay_truncated_from"] == b"2000000"


async def test_a_replayed_letter_carries_only_its_latest_marks() -> None:
    letters = Letters()
    marked = RECORD.model_copy(update={"headers": (("assay_reason", b"old"), ("assay_source", b"old"))})
    await delivery(Handler(Refused("new")), letters).deliver(marked)
    names = [name for name, _ in letters.records[0].headers]
    assert names.count("assay_reason") == names.count("assay_source") == 1


async def test_tries_wait_longer_each_time_but_never_too_long() -> None:
    clock, handler = ManualClock(), Handler(*[Transient("down")] * 1000)
    made = Delivery("trainer", Letters(), clock)
    made.on(TOPIC, handler)
    task = asyncio.create_task(made.deliver(RECORD))
    await clock.advance(1)
    early = len(handler.calls)
    await clock.advance(600)
    before = len(handler.calls)
    await clock.advance(300)
    late = len(handler.calls) - before
    task.cancel()
    assert 2 <= early <= 8
    assert 10 <= late <= 20


async def test_what_is_being_retried_is_told_while_it_lasts() -> None:
    clock, handler = ManualClock(), Handler(Transient("the database sleeps"))
    made = Delivery("trainer", Letters(), clock)
    made.on(TOPIC, handler)
    task = asyncio.create_task(made.deliver(RECORD))
    await asyncio.sleep(0.01)
    assert made.waiting == {f"{TOPIC}/1/7": f"{TOPIC}/1/7: Transient: the database sleeps"}
    await clock.advance(1)
    await task
    assert made.waiting == {}


async def test_only_so_many_handlers_run_at_once() -> None:
    running = most = 0

    async def handle(_: Event) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    made = delivery(handle, Letters(), at_once=2)
    await asyncio.gather(*(made.deliver(RECORD.model_copy(update={"partition": n})) for n in range(6)))
    assert most == 2


async def test_events_handled_together_are_settled_together_and_one_bad_one_takes_no_other_down() -> None:
    letters, done = Letters(), []

    async def several(events: Sequence[Event]) -> None:
        if any(event.data["n"] == 2 for event in events):
            raise Refused("two is impossible")
        done.extend(event.data["n"] for event in events)

    made = Delivery("scheduler", letters, SystemClock(), backoff=SOON)
    made.on_several([TOPIC], several)
    records = [RECORD.model_copy(update={"offset": n, "value": b'{"n": %d}' % n}) for n in range(4)]
    assert await made.deliver_together(records[:2])
    assert not await made.deliver_together(records)
    assert (done, letters.records) == ([0, 1], [])
    for record in records[2:]:
        await made.deliver(record)
    assert (done, [letter.value for letter in letters.records]) == ([0, 1, 3], [b'{"n": 2}'])


async def test_signs_of_life_of_a_partition_are_handled_together_and_wait_for_no_others() -> None:
    sizes: list[int] = []

    async def several(events: Sequence[Event]) -> None:
        sizes.append(len(events))

    made = Delivery("scheduler", Letters(), ManualClock())
    made.on_several([TOPIC], several, gather=False)
    assert await made.deliver_together([RECORD, RECORD])
    assert await made.deliver_together([RECORD])  # at once: nobody moves this clock
    assert sizes == [2, 1]


async def test_records_that_are_no_events_and_topics_without_such_a_handler_go_one_by_one() -> None:
    handler = Handler()
    made = delivery(handler, Letters())
    assert not await made.deliver_together([RECORD, RECORD])
    made.on_several(["eval.completed"], handler)
    broken = RECORD.model_copy(update={"topic": "eval.completed", "value": b"no JSON"})
    assert not await made.deliver_together([broken])
    assert handler.calls == []

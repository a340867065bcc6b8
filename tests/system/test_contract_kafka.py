"""The contract's specifications as plain records on real Kafka, and its raw records, each at its end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import contract_cases as cases
import pytest
import system_ground as ground
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.envelope import MAX_EVENT_BYTES, Event, Record, encode
from assay_schemas.events import TrainingCompleted
from assay_schemas.ids import event_id
from assay_schemas.jobs import JobError
from system_ground import Ground, Tape

pytestmark = [pytest.mark.real, pytest.mark.slow]


def answers(tape: Tape, identities: set[str]) -> dict[str, Event]:
    """What the scheduler said about each experiment: accepted or rejected."""
    said = [*tape.of("experiment.accepted"), *tape.of("experiment.rejected")]
    return {event.key: event for event in said if event.key in identities}


async def all_answered(alone: Ground, requests: list[Record]) -> dict[str, Event]:
    """The answer to each request, by the request's own key."""
    since = ground.now()
    sent = await alone.send(requests)
    keys = {ground.identity_of(record): record.key.decode() for record in sent}
    tape = await alone.tape(since, lambda tape: len(answers(tape, set(keys))) == len(keys))
    return {keys[identity]: event for identity, event in answers(tape, set(keys)).items()}


async def test_every_valid_specification_is_accepted(scheduler_alone: Ground, files: Path) -> None:
    requests = [ground.plain(case.located(files), case.id) for case in cases.valid_cases()]
    answered = await all_answered(scheduler_alone, requests)
    for case in cases.valid_cases():
        event = answered[case.id]
        assert event.type == "experiment.accepted", (case.id, event.data)


async def test_every_invalid_specification_is_refused_with_exactly_its_problems(
    scheduler_alone: Ground, files: Path
) -> None:
    requests = [ground.plain(case.located(files), case.id) for case in cases.invalid_cases()]
    answered = await all_answered(scheduler_alone, requests)
    for case in cases.invalid_cases():
        event = answered[case.id]
        assert event.type == "experiment.rejected", case.id
        found = sorted(problem["field"] for problem in event.data["problems"])
        assert found == sorted(case.problems), (case.id, event.data["problems"])
        assert all(problem["mend"] for problem in event.data["problems"]), case.id


async def test_every_raw_record_ends_where_it_must_and_the_next_is_handled(
    scheduler_alone: Ground, files: Path
) -> None:
    minimal = cases.minimal(files)
    listed = cases.record_cases(minimal)
    since = ground.now()
    sent = await scheduler_alone.send(
        [Record(topic=case.topic, key=case.id.encode(), value=case.value, headers=case.headers) for case in listed]
    )
    ends = dict(zip((case.id for case in listed), sent, strict=True))
    taken = {case.id: ground.identity_of(ends[case.id]) for case in listed if case.ends != "dead"}
    dead = {case.id for case in listed if case.ends == "dead"}
    after = await scheduler_alone.send([ground.plain(minimal, f"after-{number}") for number in range(4)])
    wanted = {*taken.values(), *map(ground.identity_of, after)}

    def settled(tape: Tape) -> bool:
        return len(answers(tape, wanted)) == len(wanted) and len(tape.letters()) >= len(dead)

    tape = await scheduler_alone.tape(since, settled)
    found = answers(tape, wanted)
    for case in listed:
        if case.ends != "dead":
            assert found[taken[case.id]].type == f"experiment.{case.ends}", case.id
    assert {letter.key.decode() for letter in tape.letters()} == dead
    assert len(tape.letters()) == len(dead)
    for letter in tape.letters():
        assert dict(letter.headers)["assay_reason"], letter.key
    assert all(found[ground.identity_of(record)].type == "experiment.accepted" for record in after)
    assert taken["cloudevent-binary"] == taken["same-event-twice"]
    assert len(tape.of("experiment.accepted", taken["same-event-twice"])) == 1


async def test_a_record_over_the_size_limit_is_dead_and_one_just_under_it_is_read(
    scheduler_alone: Ground, files: Path
) -> None:
    minimal = cases.minimal(files)
    room = MAX_EVENT_BYTES - len(ground.plain(minimal | {"question": ""}, "x").value or b"")
    over = ground.plain(minimal | {"question": "q" * (room + 1)}, "over")
    under = ground.plain(minimal | {"question": "q" * room}, "under")
    since = ground.now()
    _, sent = await scheduler_alone.send([over, under])
    identity = ground.identity_of(sent)
    tape = await scheduler_alone.tape(since, lambda tape: answers(tape, {identity}) and tape.letters())
    (letter,) = tape.letters()
    assert letter.key == b"over"
    assert b"over the limit" in dict(letter.headers)["assay_reason"]
    (problem,) = answers(tape, {identity})[identity].data["problems"]
    assert problem["field"] == "question"


def completion(key: str, attempt: int, source: str, **values: Any) -> Record:
    """The record that ends an attempt at training."""
    ended = TrainingCompleted(job_key=key, attempt=attempt, completed_at=datetime.now(UTC), **values)
    event = Event(
        id=event_id("training.completed", key, attempt, values["outcome"], source),
        source=source,
        type="training.completed",
        time=datetime.now(UTC),
        data=ended.model_dump(mode="json", by_alias=True),
        key=key,
    )
    encoded_key, value, headers = encode(event)
    return Record(topic=event.type, key=encoded_key, value=value, headers=tuple(headers))


def success(key: str, attempt: int) -> Record:
    result = ArtifactRef(uri=f"file:///nowhere/results/{key}/{attempt}/manifest.json", sha256="0" * 64, size=1)
    return completion(key, attempt, "/test", outcome="succeeded", result=result)


async def test_the_completion_of_a_job_nobody_asked_for_is_dead(scheduler_alone: Ground) -> None:
    since = ground.now()
    await scheduler_alone.send([success("ab" * 32, 1)])
    tape = await scheduler_alone.tape(since, lambda tape: tape.letters())
    (letter,) = tape.letters()
    assert letter.topic == "training.completed.dlq"
    assert b"nobody asked for it" in dict(letter.headers)["assay_reason"]


async def test_of_older_attempts_a_failure_is_ignored_and_a_success_ends_the_job(
    scheduler_alone: Ground,
) -> None:
    since = ground.now()
    run = scheduler_alone.submit(seeds=[ground.new_seed()])
    run.answer()
    (training,) = [job for job in run.plan().jobs if job.kind == "training"]
    await scheduler_alone.tape(since, lambda tape: tape.of("training.requested", training.key))
    error = JobError.of("diverged", "the loss is not finite.", retryable=False)
    await scheduler_alone.send([completion(training.key, 0, "/test", outcome="failed", error=error)])
    await scheduler_alone.send([success(training.key, 0)])
    tape = await scheduler_alone.tape(
        since, lambda tape: tape.of("selection.requested") and tape.of("job.cancel.requested", training.key)
    )
    (cancel,) = tape.of("job.cancel.requested", training.key)
    assert cancel.data["attempt"] == 1
    assert tape.letters() == []
    assert [event.data["attempt"] for event in tape.of("training.requested", training.key)] == [1]

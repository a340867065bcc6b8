"""The contract's specifications through HTTP, and its raw records, on a whole scheduler."""

from __future__ import annotations

from pathlib import Path

import contract_cases as cases
import pytest
import scheduler_stand_ins as stand_ins
from assay_schemas.envelope import Record

pytestmark = pytest.mark.real


async def test_http_accepts_every_valid_specification(system, files: Path) -> None:
    async with system() as running:
        for case in cases.valid_cases():
            answer = await running.http.post("/experiments", json=case.located(files))
            assert answer.status_code == 201, (case.id, answer.text)
            await running.completed(answer.json()["id"])


async def test_http_refuses_every_invalid_specification_with_exactly_its_problems(system, files: Path) -> None:
    async with system() as running:
        for case in cases.invalid_cases():
            answer = await running.http.post("/experiments", json=case.located(files))
            assert answer.status_code == 422, (case.id, answer.text)
            problems = answer.json()["problems"]
            assert sorted(problem["field"] for problem in problems) == sorted(case.problems), (case.id, problems)
            assert answer.headers["content-type"] == "application/problem+json"
        await running.until(lambda: len(running.events("experiment.rejected")) == len(cases.invalid_cases()))
        assert running.workers.requests == []
        assert await running.fetch("SELECT key FROM jobs") == []


async def test_raw_records_end_where_they_must_and_the_next_is_handled(system, files: Path) -> None:
    minimal = cases.minimal(files)
    records = cases.record_cases(minimal)
    async with system() as running:
        for case in records:
            await running.broker.send(
                Record(topic=case.topic, key=case.id.encode(), value=case.value, headers=case.headers)
            )
        await running.broker.settled()
        dead = running.broker.log.records("experiment.requested.dlq")
        assert sorted(letter.key.decode() for letter in dead) == sorted(c.id for c in records if c.ends == "dead")
        assert all(dict(letter.headers) for letter in dead)
        taken_in = await running.until(lambda: _ended(running, sum(case.ends != "dead" for case in records) - 1))
        assert taken_in == {"accepted": sum(c.ends == "accepted" for c in records) - 1, "rejected": 1}


def _ended(running, wanted: int) -> dict[str, int] | None:
    """How many experiments were accepted and rejected, once that makes as many as wanted: one event came twice."""
    found = {word: len({e.key for e in running.events(f"experiment.{word}")}) for word in ("accepted", "rejected")}
    return found if sum(found.values()) >= wanted else None


async def test_a_completion_of_a_job_nobody_asked_for_is_dead(system) -> None:
    request = {"job_key": "ab" * 32, "attempt": 1}
    async with system() as running:
        await running.broker.publish(
            stand_ins.completion("training", "ab" * 32, 1, stand_ins.succeeded("training", request))
        )
        await running.broker.settled()
        (letter,) = running.broker.log.records("training.completed.dlq")
        assert "nobody asked for it" in str(letter.headers)


async def test_of_older_attempts_a_failure_is_ignored_and_a_success_ends_the_job(system, files: Path) -> None:
    def answer(kind, request):
        return stand_ins.succeeded(kind, request) if kind != "training" else None

    document = cases.minimal(files) | {"seeds": [0]}
    async with system(answer=answer) as running:
        identity = (await running.http.post("/experiments", json=document)).json()["id"]
        (request,) = await running.until(lambda: running.workers.asked("training"))
        key = request["job_key"]
        await running.broker.publish(stand_ins.completion("training", key, 0, stand_ins.failed()))
        await running.broker.settled()
        assert (await running.http.get(f"/jobs/{key}")).json()["status"] == "requested"
        await running.broker.publish(
            stand_ins.completion("training", key, 0, stand_ins.succeeded("training", {**request, "attempt": 0}))
        )
        completed = await running.completed(identity)
        assert completed.data["outcome"] == "succeeded"
        (cancel,) = await running.until(lambda: running.workers.cancels)
        assert (cancel["job_key"], cancel["attempt"]) == (key, 1)
        assert running.broker.log.records("training.completed.dlq") == []

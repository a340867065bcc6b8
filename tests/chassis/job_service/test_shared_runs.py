"""Jobs that were asked for together share a run, and each is started, cancelled and ended as if it were alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from assay_chassis.app import ServiceApp
from assay_chassis.compute.base import Cause, JobRun, RunState
from assay_chassis.compute.errors import RunUnknown
from assay_chassis.compute.members import MemberRecords, members_of
from assay_chassis.compute.shared import SharedRuns
from assay_chassis.errors import Refused
from assay_chassis.job_service import JobService, write_manifest
from assay_chassis.job_service.failures import JobFailed
from assay_chassis.memory import InMemoryBroker
from assay_chassis.object_store import MemoryStore
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event
from assay_schemas.jobs import job_key
from job_ground import INPUTS, NOW, TRAINING, Ground, Runs, cancel_event, request_event, result

COMPANION = replace(
    TRAINING, shared_entrypoint="worker:run_all", company=lambda request: f"cpus {request.hardware.cpus}"
)


def seeded(seed: int, attempt: int = 1, **changes: Any) -> Event:
    inputs = INPUTS.model_copy(update={"seed": seed})
    event = request_event(attempt, **changes)
    data = {**event.data, "inputs": inputs.model_dump(mode="json"), "job_key": job_key(inputs)}
    return event.model_copy(update={"data": data, "id": f"{seed}-{attempt}"})


def key(seed: int) -> str:
    return job_key(INPUTS.model_copy(update={"seed": seed}))


class SharedGround(Ground):
    def __init__(self) -> None:
        self.unwanted: list[str] = []
        super().__init__(COMPANION)

    def start(self) -> JobService:
        async def ask_to_end(run: JobRun) -> None:
            self.unwanted.append(run.job_key)

        return JobService(
            source="trainer",
            types=self.types,
            backend=SharedRuns(self.backend, ask_to_end),
            store=self.store,
            publisher=self.publisher,
            clock=self.clock,
            most_together=3,
        )

    @property
    def shared(self) -> JobRun:
        [found] = [status.run for status in self.backend.statuses.values() if status.run.kind == "shared"]
        return found

    def says(self, **changes: Any) -> MemberRecords:
        """What the shared run's process reports from now on."""

        def report(record: dict[str, Any]) -> None:
            status = self.backend.statuses[self.shared.name]
            self.backend.statuses[self.shared.name] = status.model_copy(update={"progress": record, **changes})

        return MemberRecords(report)

    async def succeeded(self, records: MemberRecords, member: JobRun) -> None:
        await write_manifest(self.store, result(1).model_copy(update={"job_key": member.job_key}))
        records.succeeded(member, {})

    def ended(self, name: str, state: RunState) -> None:
        status = self.backend.statuses[name]
        self.backend.statuses[name] = status.model_copy(update={"state": state, "ended_at": NOW})

    def ends(self) -> dict[str, str]:
        return {data["job_key"]: data["outcome"] for data in self.completions}


@pytest.fixture
def shared_ground() -> SharedGround:
    return SharedGround()


async def test_jobs_asked_for_together_are_members_of_one_run_before_it_starts(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(seed) for seed in (1, 2, 3)])
    assert len(shared_ground.backend.submitted) == 1
    assert shared_ground.shared.entrypoint == "worker:run_all"
    members = members_of(shared_ground.shared.payload)
    assert [member.job_key for member in members] == [key(1), key(2), key(3)]
    assert [member.entrypoint for member in members] == ["worker:run"] * 3


async def test_signs_of_life_name_the_run_that_jobs_share_so_that_it_is_counted_once(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(seed) for seed in (1, 2)])
    await shared_ground.service.requested_together([seeded(8, hardware={"cpus": 2})])
    await shared_ground.service.monitor.sweep()
    told = {news["job_key"]: news["shares"] for news in shared_ground.progress}
    assert told == {key(1): shared_ground.shared.name, key(2): shared_ground.shared.name, key(8): ""}


async def test_a_member_that_failed_cost_what_its_own_work_took(shared_ground, monkeypatch) -> None:
    await shared_ground.service.requested_together([seeded(seed) for seed in (1, 2)])
    first, second = members_of(shared_ground.shared.payload)
    spent = iter([10.0, 13.0, 13.0])
    monkeypatch.setattr("assay_chassis.compute.members.time.process_time", lambda: next(spent))
    records = shared_ground.says(state=RunState.RUNNING, started_at=NOW, cpu_s=99.0)
    records.started(first)
    records.failed(first, ValueError("the rows are gone"))
    records.started(second)
    await shared_ground.service.monitor.sweep()
    [failed] = shared_ground.completions
    assert (failed["job_key"], failed["usage"]["cpu_s"]) == (first.job_key, 3.0)


async def test_no_run_has_more_members_than_allowed_and_none_that_keep_other_company(shared_ground) -> None:
    other = {"hardware": {"cpus": 2}}
    events = [*(seeded(seed) for seed in range(4)), seeded(8, **other), seeded(9, **other)]
    await shared_ground.service.requested_together(events)
    sizes = [len(status.run.payload.get("members", [1])) for status in shared_ground.backend.statuses.values()]
    assert sorted(sizes) == [1, 2, 3]


async def test_a_request_that_comes_again_starts_nothing(shared_ground) -> None:
    for _ in range(2):
        await shared_ground.service.requested_together([seeded(1), seeded(2), seeded(1)])
    await shared_ground.start().requested(seeded(2))
    assert len(shared_ground.backend.submitted) == 1


async def test_one_unusable_request_among_several_leaves_all_of_them_to_be_taken_alone(shared_ground) -> None:
    wrong = seeded(2).model_copy(update={"data": {**seeded(2).data, "job_key": "f" * 64}})
    with pytest.raises(Refused):
        await shared_ground.service.requested_together([seeded(1), wrong])
    assert shared_ground.backend.submitted == []


async def test_every_member_has_an_end_of_its_own_while_the_others_go_on(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(seed) for seed in (1, 2, 3)])
    first, second, third = members_of(shared_ground.shared.payload)
    records = shared_ground.says()
    records.started(first)
    await shared_ground.succeeded(records, first)
    records.started(second)
    records.failed(second, JobFailed("bad_input", "its items are gone"))
    records.started(third)
    records.progressed(third, {"step": 1, "total": 9})
    assert await shared_ground.service.monitor.sweep() == 1
    assert shared_ground.ends() == {key(1): "succeeded", key(2): "failed"}
    [failure] = [data["error"] for data in shared_ground.completions if data.get("error")]
    assert (failure["class"], failure["message"]) == ("bad_input", "its items are gone")
    [said] = shared_ground.progress
    assert (said["job_key"], said["step"], said["total"]) == (key(3), 1, 9)


async def test_a_run_whose_last_member_is_forgotten_twice_at_once_is_dropped_once(shared_ground, monkeypatch) -> None:
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    first, last = members_of(shared_ground.shared.payload)
    shared_ground.says(state=RunState.FAILED).started(first)
    runs, forget = SharedRuns(shared_ground.backend, lambda _: asyncio.sleep(0)), shared_ground.backend.forget

    async def later(name: str) -> None:
        await asyncio.sleep(0)
        await forget(name)

    monkeypatch.setattr(shared_ground.backend, "forget", later)
    await runs.forget(first.name)
    await asyncio.gather(runs.forget(last.name), runs.forget(last.name))
    assert await runs.list() == []


async def test_a_member_is_found_by_another_replica_than_the_one_that_submitted_it(shared_ground) -> None:
    replica = shared_ground.start()
    await shared_ground.service.requested(seeded(9))
    await replica.requested(seeded(9))
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    await replica.requested(seeded(1, attempt=2))
    assert shared_ground.unwanted == [key(1)]
    assert len(shared_ground.backend.submitted) == 3
    event = cancel_event()
    await replica.cancel_requested(event.model_copy(update={"data": {**event.data, "job_key": key(2)}}))
    assert shared_ground.unwanted == [key(1), key(2)]


async def test_a_run_that_outlives_its_members_is_dropped_when_it_has_ended(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    await shared_ground.service.requested(seeded(3))
    records, shared = shared_ground.says(), shared_ground.shared.name
    for member in members_of(shared_ground.shared.payload):
        await shared_ground.succeeded(records, member)
    await shared_ground.service.monitor.sweep()
    assert shared in shared_ground.backend.statuses
    for name in (shared, f"training-{key(3)[:16]}-1"):
        shared_ground.ended(name, RunState.FAILED)
    await shared_ground.service.monitor.sweep()
    assert shared_ground.backend.statuses == {}
    assert len(shared_ground.completions) == 3


async def test_nothing_is_remembered_of_a_shared_run_that_is_gone(shared_ground) -> None:
    runs = SharedRuns(shared_ground.backend, lambda _: asyncio.sleep(0))
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    first, second = members_of(shared_ground.shared.payload)
    assert await runs.names("training") == {first.name, second.name}
    shared_ground.ended(shared_ground.shared.name, RunState.FAILED)
    await runs.forget(first.name)
    assert await runs.names("training") == {second.name}
    shared_ground.backend.statuses.clear()
    assert await runs.names("training") == set()
    assert await runs.attempts("training", key(2)) == []
    with pytest.raises(RunUnknown):
        await runs.status(second.name)


async def test_members_that_wait_for_their_turn_say_so(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    shared_ground.says().started(members_of(shared_ground.shared.payload)[0])
    await shared_ground.service.monitor.sweep()
    phases = {data["job_key"]: data["phase"] for data in shared_ground.progress}
    assert phases == {key(1): "running", key(2): "queued"}


async def test_a_run_that_is_killed_fails_the_members_that_had_no_end(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    first, _ = members_of(shared_ground.shared.payload)
    ended = {"state": RunState.FAILED, "cause": Cause.KILLED, "reason": "killed by signal 9", "ended_at": NOW}
    records = shared_ground.says(**ended)
    await shared_ground.succeeded(records, first)
    await shared_ground.service.monitor.sweep()
    assert shared_ground.ends() == {key(1): "succeeded", key(2): "failed"}
    assert shared_ground.backend.statuses == {}


async def test_a_member_is_cancelled_alone_and_the_run_only_with_the_last(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    for seed, cancelled in ((1, []), (2, [shared_ground.shared.name])):
        event = cancel_event()
        event = event.model_copy(update={"data": {**event.data, "job_key": key(seed)}})
        await shared_ground.service.cancel_requested(event)
        assert shared_ground.backend.cancelled == cancelled
    assert shared_ground.unwanted == [key(1), key(2)]
    records = shared_ground.says()
    for member in members_of(shared_ground.shared.payload):
        records.stopped(member, Cause.CANCELLED, "cancelled")
    await shared_ground.service.monitor.sweep()
    assert set(shared_ground.ends().values()) == {"cancelled"}


async def test_what_a_restart_must_know_is_in_the_backend(shared_ground) -> None:
    await shared_ground.service.requested_together([seeded(1), seeded(2)])
    records = shared_ground.says()
    for member in members_of(shared_ground.shared.payload):
        await shared_ground.succeeded(records, member)
    await shared_ground.start().monitor.sweep()
    assert shared_ground.ends() == {key(1): "succeeded", key(2): "succeeded"}


async def test_a_service_that_shares_runs_takes_what_waits_and_buries_what_it_cannot_read_alone() -> None:
    async def ask_to_end(_: JobRun) -> None: ...

    broker, runs = InMemoryBroker(), Runs()
    app = ServiceApp("trainer", ServiceSettings(), broker=broker, store=MemoryStore())
    JobService.of(app, SharedRuns(runs, ask_to_end), [COMPANION], most_together=3)
    wrong = seeded(3).model_copy(update={"data": {**seeded(3).data, "inputs": "nothing"}})
    task = asyncio.create_task(app.run())
    try:
        await broker.publish(*(event.model_copy(update={"key": "k"}) for event in (seeded(1), wrong, seeded(2))))
        async with asyncio.timeout(20):
            while len(broker.events("training.completed")) < 1 or len(runs.statuses) < 1:
                await asyncio.sleep(0.01)
        await broker.settled()
    finally:
        app.stop()
        await asyncio.wait_for(task, timeout=20)
    taken = [status.run for status in runs.statuses.values()]
    members = [one for run in taken for one in (members_of(run.payload) if run.kind == "shared" else [run])]
    assert {member.job_key for member in members} == {key(1), key(2)}
    [refused] = broker.events("training.completed")
    assert (refused.data["job_key"], refused.data["outcome"]) == (key(3), "failed")
    assert len(broker.letters("training.requested")) == 1

"""A job service: requests become runs, ends become events, and nothing is done or said in two ways."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from assay_chassis.clock import ManualClock
from assay_chassis.compute.base import Cause, JobRun, RunState, RunStatus
from assay_chassis.compute.errors import ResourcesUnavailable, RunUnknown
from assay_chassis.errors import BrokerUnavailable, Refused
from assay_chassis.job_service import JobFailed, JobService, JobType, write_manifest
from assay_chassis.object_store import MemoryStore
from assay_chassis.publishing import make_event
from assay_schemas.artifacts import ArtifactRef, CheckpointRef, DatasetRef, ModelRef
from assay_schemas.envelope import Event
from assay_schemas.events import CheckpointSelected, JobCancelRequested, TrainingCompleted
from assay_schemas.jobs import SelectionInputs, SelectionRequest, TrainingInputs, TrainingRequest, job_key
from assay_schemas.results import SavedCheckpoint, SelectionResult, TrainingResult

NOW = datetime(2026, 1, 1, tzinfo=UTC)
INPUTS = TrainingInputs(
    algorithm="SFT", engine_version="1", model="a" * 64, dataset="b" * 64, hyperparameters={"steps": 3}, seed=0
)
KEY = job_key(INPUTS)
TRAINING = JobType("training", TrainingRequest, TrainingResult, TrainingCompleted, entrypoint="worker:run")


class Runs:
    """A backend whose runs end when a test says so."""

    def __init__(self) -> None:
        self.statuses: dict[str, RunStatus] = {}
        self.cancelled: list[str] = []
        self.submitted: list[str] = []
        self.impossible = False
        self.log: str | None = ""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def shutdown(self) -> None: ...

    async def submit(self, run: JobRun) -> None:
        if self.impossible:
            raise ResourcesUnavailable("hardware.nodes", "4 asked, 1 is there", "set it to 1")
        if run.name not in self.statuses:
            self.submitted.append(run.name)
            self.statuses[run.name] = RunStatus(name=run.name, run=run, state=RunState.RUNNING, started_at=NOW)

    async def status(self, name: str) -> RunStatus:
        if name not in self.statuses:
            raise RunUnknown(name)
        return self.statuses[name]

    async def list(self) -> list[RunStatus]:
        return list(self.statuses.values())

    async def cancel(self, name: str) -> None:
        self.cancelled.append(name)

    async def stop_older(self, kind: str, job_key: str, attempt: int) -> list[str]:
        older = [
            status.name
            for status in self.statuses.values()
            if (status.run.kind, status.run.job_key) == (kind, job_key) and status.run.attempt < attempt
        ]
        self.cancelled += older
        return older

    async def logs(self, name: str, tail: int = 100) -> str:
        if self.log is None:
            raise RunUnknown(name)
        return self.log or f"the log of {name}"

    async def forget(self, name: str) -> None:
        self.statuses.pop(name, None)

    def change(self, attempt: int, **changes: Any) -> None:
        name = f"training-{KEY[:16]}-{attempt}"
        self.statuses[name] = self.statuses[name].model_copy(update=changes)

    def end(self, attempt: int, state: RunState, **changes: Any) -> None:
        self.change(attempt, state=state, ended_at=NOW.replace(minute=1), **changes)


class Published:
    """A publisher that remembers, and can be out of reach."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.available = True

    async def publish(self, *events: Event) -> None:
        if not self.available:
            raise BrokerUnavailable("not now")
        self.events += events

    def of(self, topic: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.type == topic]


class Ground:
    def __init__(self, *types: JobType) -> None:
        self.backend, self.publisher, self.clock = Runs(), Published(), ManualClock()
        self.store = MemoryStore()
        self.types = types or (TRAINING,)
        self.service = self.start()

    def start(self) -> JobService:
        """A service as after a restart: it knows nothing but what lies in the backend and the store."""
        return JobService(
            source="trainer",
            types=self.types,
            backend=self.backend,
            store=self.store,
            publisher=self.publisher,
            clock=self.clock,
        )

    async def ask(self, attempt: int = 1, **changes: Any) -> None:
        await self.service.requested(request_event(attempt, **changes))

    async def succeed(self, attempt: int = 1) -> ArtifactRef:
        return await write_manifest(self.store, result(attempt))

    @property
    def completions(self) -> list[dict[str, Any]]:
        return self.publisher.of("training.completed")

    @property
    def progress(self) -> list[dict[str, Any]]:
        return self.publisher.of("job.progressed")


@pytest.fixture
def ground() -> Ground:
    return Ground()


def request_event(attempt: int = 1, **changes: Any) -> Event:
    request = TrainingRequest(
        job_key=KEY,
        attempt=attempt,
        inputs=INPUTS,
        model=ModelRef(uri="file:///model", digest="a" * 64),
        dataset=DatasetRef(uri="file:///data", digest="b" * 64, rows=3),
        deadline_s=60.0,
    )
    event = make_event("training.requested", request, key=KEY, source="scheduler", correlation="experiment-1")
    return event.model_copy(update={"data": {**event.data, **changes}})


def result(attempt: int) -> TrainingResult:
    checkpoint = CheckpointRef(uri="file:///checkpoint", digest="c" * 64, step=3)
    return TrainingResult(
        job_key=KEY,
        attempt=attempt,
        completed_at=NOW,
        inputs=INPUTS,
        checkpoints=[SavedCheckpoint(checkpoint=checkpoint)],
        steps=3,
        rows=3,
        validation_rows=0,
    )


def cancel_event(attempt: int | None = 1, kind: str = "training") -> Event:
    cancel = JobCancelRequested(job_key=KEY, kind=kind, attempt=attempt)  # type: ignore[arg-type]
    return make_event("job.cancel.requested", cancel, key=KEY, source="scheduler")


class TestRequests:
    async def test_a_request_becomes_a_run_with_its_payload_hardware_and_deadline(self, ground: Ground) -> None:
        await ground.ask(hardware={"cpus": 1.5, "memory_gib": 2, "gpus": 1})
        [status] = ground.backend.statuses.values()
        assert status.run.resources.cpus == 2
        assert status.run.resources.memory_gib == 2
        assert status.run.resources.gpus == 1
        assert status.run.deadline_s == 60
        assert TrainingRequest.model_validate(status.run.payload).inputs == INPUTS

    async def test_asking_twice_is_asking_once(self, ground: Ground) -> None:
        await ground.ask()
        await ground.ask()
        assert len(ground.backend.submitted) == 1

    async def test_a_request_that_contradicts_its_key_is_refused(self, ground: Ground) -> None:
        with pytest.raises(Refused, match=r"job_key"):
            await ground.ask(job_key="f" * 64)

    async def test_a_request_that_cannot_be_read_is_refused(self, ground: Ground) -> None:
        with pytest.raises(Refused, match="inputs"):
            await ground.ask(inputs=None)

    async def test_a_refused_request_that_names_its_attempt_fails_it_with_the_problems(self, ground: Ground) -> None:
        for _ in range(2):
            with pytest.raises(Refused):
                await ground.ask(inputs=None, deadline_s=-1)
        [completion] = ground.completions
        assert (completion["job_key"], completion["attempt"], completion["outcome"]) == (KEY, 1, "failed")
        error = completion["error"]
        assert (error["class"], error["retryable"]) == ("bad_input", False)
        assert "inputs: " in error["message"]
        assert "deadline_s: " in error["message"]

    @pytest.mark.parametrize(
        "unnamed", [{"job_key": "no key"}, {"attempt": 0}, {"attempt": "first"}, {"attempt": None}]
    )
    async def test_a_refused_request_that_names_no_attempt_ends_nothing(self, ground: Ground, unnamed: dict) -> None:
        given = request_event()
        with pytest.raises(Refused):
            await ground.service.requested(given.model_copy(update={"data": {**given.data, **unnamed}}))
        assert ground.publisher.events == []

    async def test_a_refused_request_leaves_an_attempt_that_runs_alone(self, ground: Ground) -> None:
        await ground.ask()
        with pytest.raises(Refused):
            await ground.ask(inputs=None)
        assert ground.completions == []

    async def test_impossible_hardware_fails_the_job_for_good(self, ground: Ground) -> None:
        ground.backend.impossible = True
        await ground.ask()
        [completion] = ground.completions
        assert completion["outcome"] == "failed"
        assert completion["error"]["class"] == "bad_input"
        assert not completion["error"]["retryable"]
        assert "hardware.nodes" in completion["error"]["message"]

    async def test_a_new_attempt_stops_the_older_one(self, ground: Ground) -> None:
        await ground.ask(1)
        await ground.ask(2)
        assert ground.backend.cancelled == [f"training-{KEY[:16]}-1"]
        assert len(ground.backend.submitted) == 2

    async def test_an_attempt_older_than_a_known_one_is_ignored(self, ground: Ground) -> None:
        await ground.ask(2)
        await ground.ask(1)
        assert ground.backend.submitted == [f"training-{KEY[:16]}-2"]

    async def test_a_job_done_by_an_earlier_attempt_is_complete_at_once(self, ground: Ground) -> None:
        reference = await ground.succeed(1)
        await ground.ask(3)
        [completion] = ground.completions
        assert (completion["attempt"], completion["outcome"]) == (3, "succeeded")
        assert completion["result"]["sha256"] == reference.sha256
        assert not ground.backend.submitted

    async def test_a_request_that_comes_again_after_its_end_gets_the_same_completion(self, ground: Ground) -> None:
        await ground.ask()
        ground.backend.end(1, RunState.FAILED, cause=Cause.KILLED, reason="killed by signal 9")
        await ground.service.monitor.sweep()
        await ground.start().requested(request_event())
        first, second = ground.completions
        assert first == second
        assert len({event.id for event in ground.publisher.events if event.type == "training.completed"}) == 1
        assert len(ground.backend.submitted) == 1


class TestEnds:
    @pytest.mark.parametrize(
        ("cause", "progress", "class_", "retryable"),
        [
            (Cause.KILLED, None, "killed", True),
            (Cause.LOST, None, "lost", True),
            (Cause.OUT_OF_MEMORY, None, "out_of_memory", False),
            (Cause.TIMEOUT, None, "timeout", False),
            (Cause.TIMEOUT, {"resumable": True}, "timeout", True),
            (Cause.ERROR, None, "internal", True),
        ],
    )
    async def test_an_end_without_a_manifest_is_classified(
        self, ground: Ground, cause: Cause, progress: Any, class_: str, retryable: bool
    ) -> None:
        await ground.ask()
        ground.backend.end(1, RunState.FAILED, cause=cause, reason="because", log_tail="one\ntwo", progress=progress)
        await ground.service.monitor.sweep()
        [completion] = ground.completions
        assert completion["outcome"] == "failed"
        assert completion["error"]["class"] == class_
        assert completion["error"]["retryable"] is retryable
        assert "because" in completion["error"]["message"]
        assert completion["error"]["log"] == "one\ntwo"
        assert completion["usage"]["wall_s"] == 60

    async def test_the_class_that_a_worker_gave_its_error_is_kept(self, ground: Ground) -> None:
        await ground.ask()
        ground.backend.end(
            1, RunState.FAILED, cause=Cause.ERROR, reason="step 7", error_class="diverged", retryable=False
        )
        await ground.service.monitor.sweep()
        assert ground.completions[0]["error"]["class"] == "diverged"
        assert ground.completions[0]["error"]["retryable"] is False

    async def test_an_unforeseen_exception_is_internal(self, ground: Ground) -> None:
        await ground.ask()
        ground.backend.end(
            1, RunState.FAILED, cause=Cause.ERROR, reason="KeyError: 'x'", error_class="builtins.KeyError"
        )
        await ground.service.monitor.sweep()
        assert ground.completions[0]["error"]["class"] == "internal"
        assert ground.completions[0]["error"]["retryable"] is True

    async def test_a_manifest_is_success_however_the_process_ended(self, ground: Ground) -> None:
        await ground.ask()
        reference = await ground.succeed()
        ground.backend.end(1, RunState.FAILED, cause=Cause.KILLED)
        await ground.service.monitor.sweep()
        [completion] = ground.completions
        assert completion["outcome"] == "succeeded"
        assert completion["result"]["sha256"] == reference.sha256

    async def test_success_without_a_manifest_is_no_success(self, ground: Ground) -> None:
        await ground.ask()
        ground.backend.end(1, RunState.SUCCEEDED)
        await ground.service.monitor.sweep()
        assert ground.completions[0]["error"]["class"] == "internal"

    async def test_the_end_of_a_running_log_is_kept_every_ten_seconds(self, ground: Ground) -> None:
        live = f"results/{KEY}/1/log-live.txt"
        await ground.ask()
        await ground.service.monitor.sweep()
        assert ground.store.objects.pop(live) == f"the log of training-{KEY[:16]}-1".encode()
        ground.backend.log = "more"
        await ground.clock.advance(9)
        await ground.service.monitor.sweep()
        assert live not in ground.store.objects
        await ground.clock.advance(1)
        await ground.service.monitor.sweep()
        assert ground.store.objects.pop(live) == b"more"
        await ground.clock.advance(10)
        await ground.service.monitor.sweep()
        assert live not in ground.store.objects, "nothing new is not written again"

    async def test_a_log_that_cannot_be_read_does_not_stop_the_watching(self, ground: Ground) -> None:
        await ground.ask()
        ground.backend.log = None
        assert await ground.service.monitor.sweep() == 1
        assert len(ground.progress) == 1

    async def test_the_log_is_kept_and_the_run_forgotten_once_its_end_is_published(self, ground: Ground) -> None:
        await ground.ask()
        ground.backend.end(1, RunState.FAILED, cause=Cause.KILLED)
        await ground.service.monitor.sweep()
        assert ground.store.objects[f"results/{KEY}/1/log.txt"] == f"the log of training-{KEY[:16]}-1".encode()
        assert not ground.backend.statuses

    async def test_an_end_that_could_not_be_published_is_published_later(self, ground: Ground) -> None:
        await ground.ask()
        await ground.succeed()
        ground.backend.end(1, RunState.SUCCEEDED)
        ground.publisher.available = False
        assert await ground.service.monitor.sweep() == 1
        ground.publisher.available = True
        await ground.clock.advance(10)
        assert await ground.service.monitor.sweep() == 0
        assert [completion["outcome"] for completion in ground.completions] == ["succeeded"]

    async def test_a_restarted_service_adopts_runs_and_publishes_their_ends(self, ground: Ground) -> None:
        await ground.ask()
        await ground.succeed()
        ground.backend.end(1, RunState.SUCCEEDED)
        await ground.start().monitor.sweep()
        assert [completion["outcome"] for completion in ground.completions] == ["succeeded"]
        assert len(ground.backend.submitted) == 1


class TestCancels:
    async def test_a_cancelled_run_ends_as_cancelled(self, ground: Ground) -> None:
        await ground.ask()
        await ground.service.cancel_requested(cancel_event())
        ground.backend.end(1, RunState.CANCELLED, cause=Cause.CANCELLED)
        await ground.service.monitor.sweep()
        assert ground.backend.cancelled == [f"training-{KEY[:16]}-1"]
        assert [completion["outcome"] for completion in ground.completions] == ["cancelled"]

    async def test_a_cancel_without_an_attempt_stops_what_runs(self, ground: Ground) -> None:
        await ground.ask()
        await ground.service.cancel_requested(cancel_event(None))
        assert ground.backend.cancelled == [f"training-{KEY[:16]}-1"]

    async def test_a_cancel_that_comes_before_its_request_is_remembered_over_a_restart(self, ground: Ground) -> None:
        await ground.service.cancel_requested(cancel_event())
        await ground.start().requested(request_event())
        assert [completion["outcome"] for completion in ground.completions] == ["cancelled", "cancelled"]
        assert not ground.backend.submitted

    async def test_the_next_attempt_after_a_cancel_runs(self, ground: Ground) -> None:
        await ground.service.cancel_requested(cancel_event(1))
        await ground.ask(2)
        assert ground.backend.submitted == [f"training-{KEY[:16]}-2"]

    async def test_a_cancel_of_an_older_attempt_leaves_a_newer_one(self, ground: Ground) -> None:
        await ground.ask(2)
        await ground.service.cancel_requested(cancel_event(1))
        assert not ground.backend.cancelled

    async def test_a_cancel_after_success_changes_nothing(self, ground: Ground) -> None:
        await ground.succeed()
        await ground.service.cancel_requested(cancel_event())
        assert not ground.completions

    async def test_cancels_of_other_kinds_are_for_others(self, ground: Ground) -> None:
        await ground.ask()
        await ground.service.cancel_requested(cancel_event(kind="eval"))
        assert not ground.backend.cancelled


class TestProgress:
    async def test_progress_is_published_at_most_twice_a_second_and_at_least_every_five(self, ground: Ground) -> None:
        await ground.ask()
        for tick in range(50):
            ground.backend.change(1, progress={"step": tick, "total": 50}, progress_sequence=tick)
            await ground.service.monitor.sweep()
            await ground.clock.advance(0.125)
        assert len(ground.progress) == 13
        before = len(ground.progress)
        for _ in range(80):
            await ground.service.monitor.sweep()
            await ground.clock.advance(0.125)
        assert 2 <= len(ground.progress) - before <= 3

    async def test_progress_says_what_the_worker_reported(self, ground: Ground) -> None:
        await ground.ask()
        record = {"step": 2, "total": 9, "eta_s": 3.5, "message": "m", "metrics": {"loss": 1.5, "bad": float("nan")}}
        ground.backend.change(1, progress=record, progress_sequence=1)
        await ground.service.monitor.sweep()
        [said] = ground.progress
        assert (said["step"], said["total"], said["eta_s"], said["message"]) == (2, 9, 3.5, "m")
        assert said["metrics"] == {"loss": 1.5}
        assert said["phase"] == "running"

    async def test_a_queued_run_has_a_heartbeat_too(self, ground: Ground) -> None:
        await ground.ask()
        ground.backend.change(1, state=RunState.QUEUED)
        for _ in range(3):
            await ground.service.monitor.sweep()
            await ground.clock.advance(5)
        assert [said["phase"] for said in ground.progress] == ["queued"] * 3

    async def test_the_sequence_grows_over_a_restart_of_the_service(self, ground: Ground) -> None:
        await ground.ask()
        await ground.service.monitor.sweep()
        await ground.clock.advance(1)
        await ground.start().monitor.sweep()
        first, second = ground.progress
        assert second["sequence"] > first["sequence"]


class TestInlineJobs:
    INPUTS = SelectionInputs(training=KEY, policy="last")

    def type_of(self, select: Any) -> JobType:
        return JobType("selection", SelectionRequest, SelectionResult, CheckpointSelected, inline=select)

    def event(self) -> Event:
        key = job_key(self.INPUTS)
        reference = ArtifactRef(uri="file:///manifest", sha256="d" * 64, size=1)
        request = SelectionRequest(job_key=key, attempt=1, inputs=self.INPUTS, training_result=reference)
        return make_event("selection.requested", request, key=key, source="scheduler", correlation="experiment-1")

    def origin(self, ground: Ground) -> tuple[str, str]:
        """What the one completion names as its cause, and what it belongs to."""
        [event] = [event for event in ground.publisher.events if event.type == "checkpoint.selected"]
        return event.causationid, event.correlationid

    async def test_an_inline_job_is_done_in_the_handler(self) -> None:
        chosen = CheckpointRef(uri="file:///checkpoint", digest="c" * 64, step=3)

        async def select(request: Any) -> SelectionResult:
            return SelectionResult(
                job_key=request.job_key, attempt=1, completed_at=NOW, inputs=request.inputs, checkpoint=chosen
            )

        ground = Ground(self.type_of(select))
        await ground.service.requested(self.event())
        [completion] = ground.publisher.of("checkpoint.selected")
        assert completion["outcome"] == "succeeded"
        assert self.origin(ground) == (self.event().id, "experiment-1")
        assert completion["checkpoint"]["step"] == 3

    async def test_an_inline_job_that_fails_says_why(self) -> None:
        async def select(request: Any) -> SelectionResult:
            raise JobFailed("bad_input", "no checkpoint has a validation loss")

        ground = Ground(self.type_of(select))
        await ground.service.requested(self.event())
        [completion] = ground.publisher.of("checkpoint.selected")
        assert completion["error"]["class"] == "bad_input"


async def test_the_monitor_wakes_as_soon_as_a_run_is_submitted(ground: Ground) -> None:
    watching = asyncio.create_task(ground.service.monitor.run())
    await asyncio.sleep(0.01)
    await ground.ask()
    async with asyncio.timeout(2):
        while not ground.progress:
            await asyncio.sleep(0.01)
    watching.cancel()

"""What the tests of a job service stand on: runs that end when a test says so, a publisher that can be out of reach."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from assay_chassis.clock import ManualClock
from assay_chassis.compute.base import JobRun, RunState, RunStatus, kind_in, of_job
from assay_chassis.compute.errors import ResourcesUnavailable, RunUnknown
from assay_chassis.errors import BrokerUnavailable
from assay_chassis.job_service import JobService, JobType, write_manifest
from assay_chassis.object_store import MemoryStore
from assay_chassis.publishing import make_event
from assay_schemas.artifacts import ArtifactRef, CheckpointRef, DatasetRef, ModelRef
from assay_schemas.envelope import Event
from assay_schemas.events import JobCancelRequested, TrainingCompleted
from assay_schemas.jobs import TrainingInputs, TrainingRequest, job_key
from assay_schemas.results import SavedCheckpoint, TrainingResult

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

    def when_a_run_ends(self, wake: Callable[[], None]) -> None:
        self.wake = wake

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

    async def names(self, kind: str) -> set[str]:
        return {name for name in self.statuses if kind_in(name) == kind}

    async def attempts(self, kind: str, job_key: str) -> list[RunStatus]:
        return of_job(self.statuses.values(), kind, job_key)

    async def cancel(self, name: str) -> None:
        self.cancelled.append(name)

    async def stop_older(self, kind: str, job_key: str, attempt: int) -> list[str]:
        older = [status.name for status in await self.attempts(kind, job_key) if status.run.attempt < attempt]
        self.cancelled += older
        return older

    async def logs(self, name: str, tail: int | None = 100) -> str:
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

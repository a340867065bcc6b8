"""The trainer on real processes: what is asked for by an event is trained, whatever happens on the way."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from assay_chassis.clock import SystemClock
from assay_chassis.compute import Environments, LocalBackend, RunState
from assay_chassis.job_service import JobService
from assay_chassis.memory import InMemoryBroker
from assay_chassis.object_store import FileStore
from assay_chassis.publishing import make_event
from assay_schemas.envelope import Event
from assay_schemas.events import JobCancelRequested
from assay_schemas.experiments import Hardware
from assay_schemas.jobs import TrainingRequest
from assay_schemas.results import TrainingResult
from assay_trainer.handlers import PRELOAD, TRAINING
from assay_trainer.version import ENGINE_VERSION
from training_ground import Ground

pytestmark = pytest.mark.real
PATIENCE_S = 120.0
Train = Callable[..., TrainingResult]


class Trainer:
    """A job service for training on the local backend, with a broker in memory."""

    def __init__(self, backend: LocalBackend, ground: Ground) -> None:
        self.backend = backend
        self.store = FileStore(ground.root)
        self.broker = InMemoryBroker()
        self._watching: asyncio.Task[None] | None = None
        self._asked = ""

    async def start(self) -> None:
        await self.backend.start()
        await self.broker.start()
        self.revive()

    def revive(self) -> None:
        """A service that knows nothing, as after a restart."""
        self.kill()
        self.service = JobService(
            source="trainer",
            types=[TRAINING],
            backend=self.backend,
            store=self.store,
            publisher=self.broker,
            clock=SystemClock(),
        )
        self._watching = asyncio.create_task(self.service.monitor.run())

    def kill(self) -> None:
        """The service is gone; what it started is not."""
        if self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def close(self) -> None:
        self.kill()
        for status in await self.backend.list():
            await self.backend.cancel(status.name)
        await self.backend.close()
        await self.broker.stop()

    async def ask(self, request: TrainingRequest) -> None:
        self._asked = request.job_key
        await self.service.requested(make_event("training.requested", request, key=request.job_key, source="scheduler"))

    async def cancel(self, request: TrainingRequest) -> None:
        cancel = JobCancelRequested(job_key=request.job_key, kind="training", attempt=request.attempt)
        event = make_event("job.cancel.requested", cancel, key=request.job_key, source="scheduler")
        await self.service.cancel_requested(event)

    async def completion(self, attempt: int = 1) -> dict[str, Any]:
        """The completion of an attempt at what was asked for last; an earlier test's may be said again."""

        def found() -> list[Event]:
            return [event for event in self.completions() if event.data["attempt"] == attempt]

        await until(found)
        return found()[0].data

    def completions(self) -> list[Event]:
        events = self.broker.events("training.completed")
        return [event for event in events if event.data["job_key"] == self._asked]

    async def result(self, attempt: int = 1) -> TrainingResult:
        completion = await self.completion(attempt)
        assert completion["outcome"] == "succeeded", completion["error"]
        return TrainingResult.model_validate_json(await self.store.get_bytes(completion["result"]["uri"]))

    async def step(self, step: int) -> int:
        """The process of the run, once it reported that step."""

        async def running() -> int | None:
            statuses = [status for status in await self.backend.list() if status.state is RunState.RUNNING]
            reached = [status for status in statuses if (status.progress or {}).get("step", 0) >= step]
            return reached[0].pid if reached else None

        async with asyncio.timeout(PATIENCE_S):
            while (pid := await running()) is None:
                await asyncio.sleep(0.05)
        return pid

    async def said_progress(self) -> None:
        """Until the service said of the job asked for last that it made steps: of a quick one it may never."""

        def said() -> bool:
            events = self.broker.events("job.progressed")
            return any(event.data["job_key"] == self._asked and event.data["step"] > 0 for event in events)

        await until(said)


async def until(found: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not found():
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Ground:
    """One store for the module: the tests ask for different seeds, so that no job is another's."""
    return Ground(tmp_path_factory.mktemp("service") / "store", model_folder)


@pytest.fixture(scope="module")
def compute_root(ground: Ground) -> Iterator[Path]:
    """One folder of runs, and so one warm parent, for the module."""
    root = ground.root.parent / "compute"
    yield root
    asyncio.run(_shut_down(backend_at(root, ground)))


async def _shut_down(backend: LocalBackend) -> None:
    await backend.start()
    await backend.shutdown()


def backend_at(root: Path, ground: Ground) -> LocalBackend:
    environment = {"ASSAY_OBJECT_STORE": ground.root.as_uri()}
    own = Environments("engine", own=ENGINE_VERSION)
    return LocalBackend(root, preload=PRELOAD, environment=environment, grace_s=5.0, environments=own)


@pytest.fixture
async def trainer(compute_root: Path, ground: Ground) -> AsyncIterator[Trainer]:
    trainer = Trainer(backend_at(compute_root, ground), ground)
    await trainer.start()
    yield trainer
    await trainer.close()


async def test_a_request_is_trained_and_its_manifest_published(trainer: Trainer, ground: Ground) -> None:
    request = ground.request()
    await trainer.ask(request)
    result = await trainer.result()
    assert [saved.checkpoint.step for saved in result.checkpoints] == [2, 4, 6, 8, 10]
    assert all(saved.validation_loss is not None for saved in result.checkpoints)
    assert result.usage.wall_s > 0


async def test_equal_jobs_give_equal_weights_in_different_processes(
    trainer: Trainer, ground: Ground, train_afresh: Train
) -> None:
    request = ground.request(seed=1)
    await trainer.ask(request)
    elsewhere = train_afresh(request)
    assert _digests(await trainer.result()) == _digests(elsewhere)


async def test_a_job_over_two_processes_runs_on_the_backend_and_computes_the_same(
    trainer: Trainer, ground: Ground, train_afresh: Train
) -> None:
    request = ground.request(steps=30, checkpoint_every=10, seed=random.randrange(2**31))
    layout = {"cpus": 2, "parallelism": {"data": 2}}
    hardware = Hardware.model_validate({**request.hardware.model_dump(), **layout})
    await trainer.ask(request.model_copy(update={"hardware": hardware}))
    spread, alone = await trainer.result(), train_afresh(request)
    assert spread.final_loss == pytest.approx(alone.final_loss, rel=1e-4)
    assert [saved.checkpoint.step for saved in spread.checkpoints] == [10, 20, 30]


def _digests(result: TrainingResult) -> list[str]:
    return [saved.checkpoint.digest for saved in result.checkpoints]


async def test_a_killed_run_is_asked_for_again_and_goes_on_bit_for_bit(
    trainer: Trainer, ground: Ground, train_afresh: Train
) -> None:
    settings = {"steps": 150, "checkpoint_every": 20, "seed": 2}
    await trainer.ask(ground.request(**settings))
    os.kill(await trainer.step(60), signal.SIGKILL)
    ended = await trainer.completion(1)
    assert (ended["error"]["class"], ended["error"]["retryable"]) == ("killed", True)
    await trainer.ask(ground.request(attempt=2, **settings))
    resumed = await trainer.result(2)
    assert resumed.resumed_from_step >= 40
    uninterrupted = train_afresh(ground.request(**settings))
    assert _digests(resumed) == _digests(uninterrupted)


async def test_a_run_told_to_stop_saves_first_and_can_go_on(trainer: Trainer, ground: Ground) -> None:
    settings = {"steps": 200, "checkpoint_every": 200, "seed": 9}
    await trainer.ask(ground.request(**settings))
    os.kill(await trainer.step(5), signal.SIGTERM)
    error = (await trainer.completion(1))["error"]
    assert (error["class"], error["retryable"]) == ("interrupted", True)
    await trainer.ask(ground.request(attempt=2, **settings))
    assert (await trainer.result(2)).resumed_from_step >= 5


async def test_a_restarted_service_adopts_its_run_and_does_nothing_twice(trainer: Trainer, ground: Ground) -> None:
    request = ground.request(steps=200, seed=3)
    await trainer.ask(request)
    pid = await trainer.step(10)
    trainer.revive()
    await trainer.ask(request)
    assert psutil.pid_exists(pid)
    result = await trainer.result()
    assert result.resumed_from_step == 0
    assert len({event.id for event in trainer.completions()}) == 1


async def test_a_run_says_how_far_it_is_and_ends_soon_when_cancelled(trainer: Trainer, ground: Ground) -> None:
    request = ground.request(steps=100_000, seed=4)
    await trainer.ask(request)
    await trainer.said_progress()
    await trainer.cancel(request)
    assert (await trainer.completion())["outcome"] == "cancelled"


async def test_a_run_past_its_deadline_times_out_and_can_go_on(trainer: Trainer, ground: Ground) -> None:
    request = ground.request(steps=100_000, checkpoint_every=2, seed=5).model_copy(update={"deadline_s": 6.0})
    await trainer.ask(request)
    error = (await trainer.completion())["error"]
    assert (error["class"], error["retryable"]) == ("timeout", True)
    assert "deadline" in error["message"]


async def test_an_absurd_learning_rate_is_a_divergence_with_step_and_rows(trainer: Trainer, ground: Ground) -> None:
    await trainer.ask(ground.request(learning_rate=1e30, gradient_clip=0.0, seed=6))
    error = (await trainer.completion())["error"]
    assert (error["class"], error["retryable"]) == ("diverged", False)
    assert "step" in error["message"]
    assert "rows" in error["message"]
    assert "Diverged" in error["log"]


async def test_rows_that_the_algorithm_cannot_learn_from_fail_for_good(trainer: Trainer, ground: Ground) -> None:
    await trainer.ask(ground.request(algorithm="DPO", seed=7))
    error = (await trainer.completion())["error"]
    assert (error["class"], error["retryable"]) == ("bad_input", False)
    assert error["message"].endswith("give prompt+chosen+rejected")


async def test_a_run_that_needs_more_memory_than_it_has_says_so(trainer: Trainer, ground: Ground) -> None:
    request = ground.request(seed=8)
    hardware = request.hardware.model_copy(update={"memory_gib": 0.05})
    await trainer.ask(request.model_copy(update={"hardware": hardware}))
    error = (await trainer.completion())["error"]
    assert (error["class"], error["retryable"]) == ("out_of_memory", False)
    assert "hardware.memory_gib" in error["message"]

"""How a run ended is said once, with its class, its log and its manifest."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from assay_chassis.app import ServiceApp
from assay_chassis.compute.base import Cause, JobRun, Resources, RunState, RunStatus
from assay_chassis.job_service import JobService, monitor
from assay_chassis.job_service.failures import usage_of
from assay_chassis.memory import InMemoryBroker
from assay_chassis.object_store import MemoryStore
from assay_chassis.settings import ServiceSettings
from job_ground import KEY, TRAINING, Ground, Runs, request_event


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
    ground: Ground, cause: Cause, progress: Any, class_: str, retryable: bool
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


async def test_the_class_that_a_worker_gave_its_error_is_kept(ground: Ground) -> None:
    await ground.ask()
    ground.backend.end(1, RunState.FAILED, cause=Cause.ERROR, reason="step 7", error_class="diverged", retryable=False)
    await ground.service.monitor.sweep()
    assert ground.completions[0]["error"]["class"] == "diverged"
    assert ground.completions[0]["error"]["retryable"] is False


async def test_an_unforeseen_exception_is_internal(ground: Ground) -> None:
    await ground.ask()
    ground.backend.end(1, RunState.FAILED, cause=Cause.ERROR, reason="KeyError: 'x'", error_class="builtins.KeyError")
    await ground.service.monitor.sweep()
    assert ground.completions[0]["error"]["class"] == "internal"
    assert ground.completions[0]["error"]["retryable"] is True


async def test_a_manifest_is_success_however_the_process_ended(ground: Ground) -> None:
    await ground.ask()
    reference = await ground.succeed()
    ground.backend.end(1, RunState.FAILED, cause=Cause.KILLED)
    await ground.service.monitor.sweep()
    [completion] = ground.completions
    assert completion["outcome"] == "succeeded"
    assert completion["result"]["sha256"] == reference.sha256


async def test_success_without_a_manifest_is_no_success(ground: Ground) -> None:
    await ground.ask()
    ground.backend.end(1, RunState.SUCCEEDED)
    await ground.service.monitor.sweep()
    assert ground.completions[0]["error"]["class"] == "internal"


async def test_the_end_of_a_running_log_is_kept_every_ten_seconds(ground: Ground) -> None:
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


async def test_a_log_that_cannot_be_read_does_not_stop_the_watching(ground: Ground) -> None:
    await ground.ask()
    ground.backend.log = None
    assert await ground.service.monitor.sweep() == 1
    assert len(ground.progress) == 1


async def test_the_log_is_kept_and_the_run_forgotten_once_its_end_is_published(ground: Ground) -> None:
    await ground.ask()
    ground.backend.end(1, RunState.FAILED, cause=Cause.KILLED)
    await ground.service.monitor.sweep()
    assert ground.store.objects[f"results/{KEY}/1/log.txt"] == f"the log of training-{KEY[:16]}-1".encode()
    assert not ground.backend.statuses


async def test_a_run_that_began_after_its_attempts_end_says_that_end_again(ground: Ground) -> None:
    """Its worker saw that the end is written and did nothing: that is no success without a manifest."""
    await ground.ask()
    late = ground.backend.statuses.copy()
    ground.backend.end(1, RunState.FAILED, cause=Cause.ERROR, reason="step 7", error_class="diverged", retryable=False)
    ground.backend.log = "diverged at step 7"
    await ground.service.monitor.sweep()
    ground.backend.statuses = late
    ground.backend.end(1, RunState.SUCCEEDED)
    ground.backend.log = "nothing is done again"
    await ground.service.monitor.sweep()
    first, again = ground.completions
    assert again == first
    assert ground.store.objects[f"results/{KEY}/1/log.txt"] == b"diverged at step 7"


async def test_an_end_that_could_not_be_published_is_published_later(ground: Ground) -> None:
    await ground.ask()
    await ground.succeed()
    ground.backend.end(1, RunState.SUCCEEDED)
    ground.publisher.available = False
    assert await ground.service.monitor.sweep() == 1
    ground.publisher.available = True
    await ground.clock.advance(10)
    assert await ground.service.monitor.sweep() == 0
    assert [completion["outcome"] for completion in ground.completions] == ["succeeded"]


async def test_a_restarted_service_adopts_runs_and_publishes_their_ends(ground: Ground) -> None:
    await ground.ask()
    await ground.succeed()
    ground.backend.end(1, RunState.SUCCEEDED)
    await ground.start().monitor.sweep()
    assert [completion["outcome"] for completion in ground.completions] == ["succeeded"]
    assert len(ground.backend.submitted) == 1


def test_the_gpus_that_a_failed_run_held_and_its_processor_time_are_counted() -> None:
    resources = Resources(gpus=4, nodes=2)
    run = JobRun(kind="training", job_key=KEY, attempt=1, entrypoint="somewhere:run", resources=resources)
    began = datetime(2026, 1, 1, tzinfo=UTC)
    ended = began + timedelta(seconds=10)
    status = RunStatus(name=run.name, run=run, state=RunState.FAILED, cpu_s=7.5, started_at=began, ended_at=ended)
    used = usage_of(status)
    assert (used.wall_s, used.gpu_s, used.cpu_s) == (10, 80, 7.5)


async def test_an_end_that_the_backend_hears_of_is_said_before_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "LIVE_POLL_S", 600.0)
    broker, runs = InMemoryBroker(), Runs()
    app = ServiceApp("trainer", ServiceSettings(), broker=broker, store=MemoryStore())
    JobService.of(app, runs, [TRAINING])
    task = asyncio.create_task(app.run())
    try:
        async with asyncio.timeout(20):
            await broker.publish(request_event())
            while not broker.events("job.progressed"):
                await asyncio.sleep(0.01)
            runs.end(1, RunState.FAILED, cause=Cause.ERROR)
            runs.wake()
            while not broker.events("training.completed"):
                await asyncio.sleep(0.01)
    finally:
        app.stop()
        await asyncio.wait_for(task, timeout=20)

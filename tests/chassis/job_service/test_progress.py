"""Progress is said at a steady rate and in order."""

from __future__ import annotations

import asyncio

from assay_chassis.compute.base import RunState
from job_ground import Ground


async def test_progress_is_published_at_most_twice_a_second_and_at_least_every_five(ground: Ground) -> None:
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


async def test_progress_says_what_the_worker_reported(ground: Ground) -> None:
    await ground.ask()
    record = {"step": 2, "total": 9, "eta_s": 3.5, "message": "m", "metrics": {"loss": 1.5, "bad": float("nan")}}
    ground.backend.change(1, progress=record, progress_sequence=1)
    await ground.service.monitor.sweep()
    [said] = ground.progress
    assert (said["step"], said["total"], said["eta_s"], said["message"]) == (2, 9, 3.5, "m")
    assert said["metrics"] == {"loss": 1.5}
    assert said["phase"] == "running"


async def test_a_queued_run_has_a_heartbeat_too(ground: Ground) -> None:
    await ground.ask()
    ground.backend.change(1, state=RunState.QUEUED)
    for _ in range(3):
        await ground.service.monitor.sweep()
        await ground.clock.advance(5)
    assert [said["phase"] for said in ground.progress] == ["queued"] * 3


async def test_the_sequence_grows_over_a_restart_of_the_service(ground: Ground) -> None:
    await ground.ask()
    await ground.service.monitor.sweep()
    await ground.clock.advance(1)
    await ground.start().monitor.sweep()
    first, second = ground.progress
    assert second["sequence"] > first["sequence"]


async def test_the_monitor_wakes_as_soon_as_a_run_is_submitted(ground: Ground) -> None:
    watching = asyncio.create_task(ground.service.monitor.run())
    await asyncio.sleep(0.01)
    await ground.ask()
    async with asyncio.timeout(2):
        while not ground.progress:
            await asyncio.sleep(0.01)
    watching.cancel()


async def test_a_waiting_run_says_what_it_waits_for_and_not_what_it_did_before(ground: Ground) -> None:
    await ground.ask()
    before = {"step": 2, "message": "training"}
    ground.backend.change(1, state=RunState.QUEUED, reason="waits in queue research", progress=before)
    await ground.service.monitor.sweep()
    [said] = ground.progress
    assert (said["phase"], said["message"], said["step"]) == ("queued", "waits in queue research", 2)

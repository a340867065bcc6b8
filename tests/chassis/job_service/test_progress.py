"""Progress is said at a steady rate and in order."""

from __future__ import annotations

import asyncio
from collections import Counter

from assay_chassis.compute.base import RunState
from assay_chassis.job_service.progress import heartbeat_s
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


async def test_the_more_runs_live_the_longer_between_their_heartbeats_and_no_look_says_all_of_many(
    ground: Ground,
) -> None:
    await ground.ask()
    ground.backend.change(1, state=RunState.QUEUED)
    [status] = ground.backend.statuses.values()
    copies = (status.model_copy(update={"name": f"training-{number:016d}-1"}) for number in range(3_000))
    ground.backend.statuses = {copy.name: copy for copy in copies}
    said = []
    for _ in range(16):
        await ground.service.monitor.sweep()
        said.append(len(ground.progress))
        await ground.clock.advance(0.5)
    assert said == [1_000, 2_000, *[3_000] * 10, 4_000, 5_000, 6_000, 6_000], "six seconds apart"


def test_heartbeats_are_500_a_second_at_most_until_they_would_be_too_far_apart_for_a_lease() -> None:
    assert [heartbeat_s(live) for live in (0, 1, 2_500, 5_000, 15_000, 10**6)] == [5.0, 5.0, 5.0, 10.0, 30.0, 30.0]


async def test_what_changes_all_the_time_does_not_keep_the_rest_from_being_heard(ground: Ground, monkeypatch) -> None:
    monkeypatch.setattr("assay_chassis.job_service.monitor.MOST_AT_ONCE", 2)
    await ground.ask()
    [status] = ground.backend.statuses.values()
    keys = [f"{number:064d}" for number in range(4)]
    runs = [status.run.model_copy(update={"job_key": key}) for key in keys]
    for tick in range(20):
        for number, run in enumerate(runs):
            name, sequence = f"training-{number}-1", tick if number < 3 else 0
            ground.backend.statuses[name] = status.model_copy(
                update={"name": name, "run": run, "progress_sequence": sequence}
            )
        ground.backend.statuses.pop(status.name, None)
        await ground.service.monitor.sweep()
        await ground.clock.advance(0.5)
    heard = Counter(said["job_key"] for said in ground.progress)
    assert set(heard) == set(keys)
    assert heard[keys[3]] >= 2


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

"""A cancel stops the attempts it means and no other."""

from __future__ import annotations

from assay_chassis.compute.base import Cause, RunState
from job_ground import KEY, Ground, cancel_event, request_event


async def test_a_cancelled_run_ends_as_cancelled(ground: Ground) -> None:
    await ground.ask()
    await ground.service.cancel_requested(cancel_event())
    ground.backend.end(1, RunState.CANCELLED, cause=Cause.CANCELLED)
    await ground.service.monitor.sweep()
    assert ground.backend.cancelled == [f"training-{KEY[:16]}-1"]
    assert [completion["outcome"] for completion in ground.completions] == ["cancelled"]


async def test_a_cancel_without_an_attempt_stops_what_runs(ground: Ground) -> None:
    await ground.ask()
    await ground.service.cancel_requested(cancel_event(None))
    assert ground.backend.cancelled == [f"training-{KEY[:16]}-1"]


async def test_a_cancel_that_comes_before_its_request_is_remembered_over_a_restart(ground: Ground) -> None:
    await ground.service.cancel_requested(cancel_event())
    await ground.start().requested(request_event())
    assert [completion["outcome"] for completion in ground.completions] == ["cancelled", "cancelled"]
    assert not ground.backend.submitted


async def test_the_next_attempt_after_a_cancel_runs(ground: Ground) -> None:
    await ground.service.cancel_requested(cancel_event(1))
    await ground.ask(2)
    assert ground.backend.submitted == [f"training-{KEY[:16]}-2"]


async def test_a_cancel_of_an_older_attempt_leaves_a_newer_one(ground: Ground) -> None:
    await ground.ask(2)
    await ground.service.cancel_requested(cancel_event(1))
    assert not ground.backend.cancelled


async def test_a_cancel_after_success_changes_nothing(ground: Ground) -> None:
    await ground.succeed()
    await ground.service.cancel_requested(cancel_event())
    assert not ground.completions


async def test_cancels_of_other_kinds_are_for_others(ground: Ground) -> None:
    await ground.ask()
    await ground.service.cancel_requested(cancel_event(kind="eval"))
    assert not ground.backend.cancelled

"""Background tasks end when told to, also those that miss a cancel."""

from __future__ import annotations

import asyncio

import pytest
from assay_chassis.tasks import end


async def forever() -> None:
    await asyncio.Event().wait()


async def deaf_once() -> None:
    try:
        await forever()
    except asyncio.CancelledError:
        await forever()


async def failing() -> None:
    raise ValueError("broken")


async def test_all_tasks_are_done_also_one_that_swallowed_a_cancel_and_one_that_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("assay_chassis.tasks.CANCEL_AGAIN_S", 0.05)
    tasks = [asyncio.create_task(work()) for work in (forever, deaf_once, failing)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end(tasks)
    assert [task.cancelled() for task in tasks] == [True, True, False]
    assert isinstance(tasks[2].exception(), ValueError)

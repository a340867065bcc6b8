"""Waiting for what a control plane does in its own time.
Never waits longer than a minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from assay_chassis.compute import BackendUnavailable, JobRun

LONGEST_S = 60.0


async def until(done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + LONGEST_S
    while not await asyncio.to_thread(done):
        assert time.monotonic() < give_up
        await asyncio.sleep(0.2)


async def until_submitted(backend: Any, run: JobRun) -> None:
    """As a service does: what the API server does not take now is tried again."""
    give_up = time.monotonic() + LONGEST_S
    while True:
        try:
            await backend.submit(run)
            return
        except BackendUnavailable:
            assert time.monotonic() < give_up
            await asyncio.sleep(0.5)

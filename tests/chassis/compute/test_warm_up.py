"""When the warm parent is started: with the first job, or a while after the service."""

from __future__ import annotations

import asyncio

import pytest
from assay_chassis.compute.base import JobRun
from assay_chassis.compute.local import LocalBackend

pytestmark = pytest.mark.real


async def until_warm(backend: LocalBackend) -> None:
    async with asyncio.timeout(60):
        while await backend.warm_parent() is None:
            await asyncio.sleep(0.05)


async def test_nothing_is_loaded_before_its_time_or_the_first_job(tmp_path):
    backend = LocalBackend(tmp_path, warm_up_after_s=600)
    await backend.start()
    try:
        await asyncio.sleep(1.0)
        assert await backend.warm_parent() is None
        await backend.submit(JobRun(kind="eval", job_key="a" * 64, attempt=1, entrypoint="builtins:print", payload={}))
        await until_warm(backend)
    finally:
        await backend.shutdown()


async def test_without_a_job_it_is_loaded_when_its_time_has_come(tmp_path):
    backend = LocalBackend(tmp_path, warm_up_after_s=0.5)
    await backend.start()
    try:
        await until_warm(backend)
    finally:
        await backend.shutdown()

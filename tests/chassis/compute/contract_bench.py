"""A way to open any compute backend on one root, again and again, and to wait for what runs do."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay_chassis.compute import ComputeBackend, JobRun, LocalBackend, MemoryBackend, RunStatus

HERE = Path(__file__).parent
WAIT_S = 60.0
KEY = "0123456789abcdef" * 4


def make_run(function: str = "succeed", attempt: int = 1, key: str = KEY, **more: Any) -> JobRun:
    entrypoint = f"contract_jobs:{function}"
    return JobRun(kind="training", job_key=key, attempt=attempt, entrypoint=entrypoint, **more)


@dataclass
class Bench:
    """One backend's root, and the backends opened on it."""

    root: Path
    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    opened: list[ComputeBackend] = field(default_factory=list)

    async def open(self, **options: Any) -> Any:
        backend = self._build({**self.options, **options})
        self.opened.append(backend)
        await backend.start()
        return backend

    def _build(self, options: dict[str, Any]) -> Any:
        if self.kind == "memory":
            return MemoryBackend(self.root, grace_s=0.3)
        options = {"grace_s": 0.5, **options}
        options["environment"] = {"PYTHONPATH": str(HERE), **options.get("environment", {})}
        if self.kind == "ray":
            from assay_chassis.compute.ray import RayBackend

            return RayBackend(self.root, **options)
        return LocalBackend(self.root, **options)

    async def close(self) -> None:
        """Stop every run and what the backends started, also when a test failed half-way."""
        for backend in self.opened:
            await backend.close()
        if self.opened:
            last = self._build(self.options)
            await last.start()
            await last.shutdown()


async def wait_for(backend: ComputeBackend, run: JobRun, done: Callable[[RunStatus], bool]) -> RunStatus:
    give_up = time.monotonic() + WAIT_S
    while time.monotonic() < give_up:
        status = await backend.status(run.name)
        if done(status):
            return status
        await asyncio.sleep(0.03)
    raise AssertionError(f"still {await backend.status(run.name)}; {await backend.logs(run.name)}")


async def wait_for_end(backend: ComputeBackend, run: JobRun) -> RunStatus:
    return await wait_for(backend, run, lambda status: status.state.ended)


async def wait_until_running(backend: ComputeBackend, run: JobRun) -> RunStatus:
    return await wait_for(backend, run, lambda status: status.state == "running")


async def submit_and_wait(backend: ComputeBackend, run: JobRun) -> RunStatus:
    await backend.submit(run)
    return await wait_for_end(backend, run)

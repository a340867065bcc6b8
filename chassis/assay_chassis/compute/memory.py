"""Runs jobs as threads of this process, for tests that start nothing.
Never limits memory and cannot kill: a job that ignores the request to stop goes on unheard."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from assay_chassis.compute.base import Cause, JobRun
from assay_chassis.compute.folder import Records, RunFolder
from assay_chassis.compute.folders import FolderBackend
from assay_chassis.compute.job import call_entrypoint
from assay_chassis.compute.keeper import Stop, record_end

TICK_S = 0.01


class MemoryBackend(FolderBackend):
    """A ComputeBackend without processes. Give it no root and it makes one, and deletes it on shutdown."""

    def __init__(self, root: Path | None = None, *, grace_s: float = 0.5) -> None:
        self._own_root = root is None
        super().__init__(root or Path(tempfile.mkdtemp(prefix="assay-compute-")), grace_s)

    async def start(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)

    async def close(self) -> None:
        self._ended.clear()

    def _check(self, run: JobRun) -> None:
        """Threads have no limits to check."""

    async def _launch(self, run: JobRun) -> None:
        folder = RunFolder(self.root / run.name)
        if not folder.has("keeper.json"):
            folder.write("keeper", {"pid": None, "at": time.time()}, durable=False)
            name = str(folder.path)
            threading.Thread(target=_keep, args=(run, folder, self.grace_s), name=name, daemon=True).start()

    async def _stop_own(self) -> None:
        if self._own_root:
            shutil.rmtree(self.root, ignore_errors=True)

    def _records(self, folder: RunFolder) -> Records | None:
        alive = any(thread.name == str(folder.path) for thread in threading.enumerate())
        records = folder.records()
        return replace(records, keeper_alive=alive) if records else None


def _keep(run: JobRun, folder: RunFolder, grace_s: float) -> None:
    """What a keeper does, for a thread."""
    asked, codes = threading.Event(), [0]
    folder.work.mkdir(exist_ok=True)
    job = threading.Thread(target=lambda: codes.append(call_entrypoint(run, folder, asked)), daemon=True)
    deadline = time.monotonic() + (run.deadline_s or float("inf"))
    stop: Stop | None = None
    job.start()
    while job.is_alive() and not (stop and time.monotonic() >= stop.kill_at):
        job.join(TICK_S)
        if stop is None and folder.has("cancel"):
            stop = Stop(Cause.CANCELLED, "cancelled", time.monotonic() + grace_s)
        elif stop is None and time.monotonic() >= deadline:
            reason = f"ran past its deadline of {run.deadline_s:g} s"
            stop = Stop(Cause.TIMEOUT, reason, time.monotonic() + grace_s)
        if stop is not None:
            asked.set()
    record_end(folder, codes[-1] << 8, stop)

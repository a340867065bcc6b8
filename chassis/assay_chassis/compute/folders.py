"""What every backend that keeps its runs in folders does the same way.
Never starts a run; each backend says how."""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from assay_chassis.compute.base import JobRun, RunStatus, job_name_of, kind_in, of_job, older_attempts, without_attempt
from assay_chassis.compute.errors import RunStillActive, RunUnknown
from assay_chassis.compute.folder import Records, RunFolder
from assay_chassis.compute.judgement import judge

SHUTDOWN_POLL_S = 0.1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class FolderBackend(ABC):
    """A ComputeBackend whose state is the folders under its root: nothing to lose, nothing to adopt.

    The root must be on a file system that every machine of the backend sees."""

    def __init__(self, root: Path, grace_s: float) -> None:
        self.root = root.absolute()
        self.grace_s = grace_s
        self._ended: dict[str, RunStatus] = {}
        self._wake: Callable[[], None] = lambda: None

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    def _check(self, run: JobRun) -> None:
        """Raises ResourcesUnavailable."""

    @abstractmethod
    async def _launch(self, run: JobRun, /) -> None:
        """Have the queued run started, now or as soon as can be; called again for a run known already."""

    def when_a_run_ends(self, wake: Callable[[], None]) -> None:
        self._wake = wake

    @abstractmethod
    async def _stop_own(self) -> None:
        """Stop what the backend started, other than runs."""

    async def submit(self, run: JobRun) -> None:
        self._check(run)
        await asyncio.to_thread(RunFolder.create, self.root, run)
        await self._launch(run)

    async def status(self, name: str) -> RunStatus:
        status = await asyncio.to_thread(self._status, self._folder(name))
        if status is None:
            raise RunUnknown(name)
        return status

    async def cancel(self, name: str) -> None:
        with suppress(RunUnknown):
            await asyncio.to_thread(self._folder(name).ask_to_cancel)

    async def stop_older(self, kind: str, job_key: str, attempt: int) -> list[str]:
        older = older_attempts(await self.attempts(kind, job_key), attempt)
        for name in older:
            await self.cancel(name)
        return older

    async def logs(self, name: str, tail: int | None = 100) -> str:
        folder = self._folder(name)
        if not folder.has("run.json"):
            raise RunUnknown(name)
        if tail is None:
            return await asyncio.to_thread(folder.whole_log)
        return await asyncio.to_thread(folder.log_tail, tail)

    async def forget(self, name: str) -> None:
        try:
            folder = self._folder(name)
        except RunUnknown:
            return
        status = await asyncio.to_thread(self._status, folder)
        if status is not None and not status.state.ended:
            raise RunStillActive(name)
        await asyncio.to_thread(folder.remove)
        self._ended.pop(name, None)

    async def shutdown(self) -> None:
        active = [status.name for status in await self.list() if not status.state.ended]
        for name in active:
            await self.cancel(name)
        give_up = time.monotonic() + self.grace_s + 10.0
        while time.monotonic() < give_up:
            if all(status.state.ended for status in await self.list() if status.name in active):
                break
            await asyncio.sleep(SHUTDOWN_POLL_S)
        await self._stop_own()
        await self.close()

    def _records(self, folder: RunFolder) -> Records | None:
        return folder.records()

    def _folder(self, name: str) -> RunFolder:
        """Names come from events: one that is not a plain name names nothing."""
        if not _NAME.fullmatch(name):
            raise RunUnknown(name)
        return RunFolder(self.root / name)

    def _status(self, folder: RunFolder) -> RunStatus | None:
        """An ended run never changes: its status is read once, until its folder goes."""
        known = self._ended.get(folder.name)
        if known is not None and folder.path.exists():
            return known
        records = self._records(folder)
        if records is None:
            self._ended.pop(folder.name, None)
            return None
        status = judge(records)
        if status.state.ended:
            self._ended[folder.name] = status
        return status

    def _list(self) -> list[RunStatus]:
        return self._statuses(RunFolder.all_in(self.root))

    def _statuses(self, folders: Iterable[RunFolder]) -> list[RunStatus]:
        found = (self._status(folder) for folder in folders)
        return sorted((status for status in found if status), key=lambda status: status.name)

    async def names(self, kind: str) -> set[str]:
        names = await asyncio.to_thread(RunFolder.names_in, self.root)
        return {name for name in names if kind_in(name) == kind}

    async def attempts(self, kind: str, job_key: str) -> list[RunStatus]:
        """One folder's list of names is read, which no number of runs that one machine holds makes slow."""
        return await asyncio.to_thread(self._attempts, kind, job_key)

    def _attempts(self, kind: str, job_key: str) -> list[RunStatus]:
        of_any = job_name_of(kind, job_key)
        names = [name for name in RunFolder.names_in(self.root) if without_attempt(name) == of_any]
        return of_job(self._statuses(RunFolder(self.root / name) for name in names), kind, job_key)

    async def list(self) -> list[RunStatus]:
        return await asyncio.to_thread(self._list)

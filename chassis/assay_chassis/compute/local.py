"""Runs jobs on this machine, one process each, forked from a warm parent.
Never waits for the warm parent, and never stops a run because the service stops."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.devices import machine_gpus
from assay_chassis.compute.environments import OWN_ONLY, Environments
from assay_chassis.compute.errors import BackendUnavailable, ResourcesUnavailable
from assay_chassis.compute.folders import FolderBackend
from assay_chassis.compute.keeper import ENDS
from assay_chassis.compute.pipe import Pipe
from assay_chassis.compute.warm_client import WarmClient
from assay_chassis.compute.warm_folder import WarmRecord

KEEP_AWAKE_S = 5.0
IDLE_S = 60.0
log = structlog.get_logger(__name__)


class LocalBackend(FolderBackend):
    """A ComputeBackend for one machine.

    The warm parent imports `preload`; it and the jobs have this process's environment and `environment`.
    It ends by itself 60 s after the last service let go; running jobs go on without it.
    A run of another version is forked from a warm parent of that version's own environment, which starts with its
    first run and rests when there are none.
    Where none lives yet it is started `warm_up_after_s` after the service, or with the first job: its imports
    would otherwise compete with the start of everything else on a small machine.
    Services that name one folder for `warm_sharing` import once what they have in common."""

    def __init__(
        self,
        root: Path,
        *,
        preload: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        grace_s: float = 10.0,
        warm_up_after_s: float = 0.0,
        environments: Environments = OWN_ONLY,
        warm_sharing: Path | None = None,
    ) -> None:
        super().__init__(root, grace_s)
        self._environments = environments
        self._warm_sharing = warm_sharing
        self._others: dict[str, WarmClient] = {}
        self._warm_up_after_s = warm_up_after_s
        self._preload = tuple(preload)
        self._environment = dict(environment or {})
        self._warm: WarmClient | None = None
        self._keeping_awake: asyncio.Task[None] | None = None
        self._ends: int | None = None

    async def start(self) -> None:
        if self._warm is None:
            self._warm = await asyncio.to_thread(self._client)
            self._listen()
            if self._warm_up_after_s == 0 or await asyncio.to_thread(self._warm.alive):
                await asyncio.to_thread(self._warm.renew)
            self._keeping_awake = asyncio.create_task(self._keep_awake(self._warm))
            await self._rouse_others()

    def _listen(self) -> None:
        """Hear from keepers that runs have ended."""
        pipe = Pipe(self.root / ENDS)
        pipe.make()
        self._ends = pipe.open()
        asyncio.get_running_loop().add_reader(self._ends, self._heard, self._ends)

    def _heard(self, ends: int) -> None:
        with suppress(BlockingIOError):
            os.read(ends, 65536)
        self._wake()

    def _client(self, version: str = "", python: Path | None = None) -> WarmClient:
        return WarmClient(
            self.root,
            self._preload,
            self._environment,
            self.grace_s,
            IDLE_S,
            version=version,
            own="" if python else self._environments.own,
            python=python,
            sharing=self._warm_sharing,
        )

    async def _rouse_others(self) -> None:
        """Have a warm parent for every run of another version that has not ended."""
        for status in await self.list():
            if not status.state.ended and not self._environments.is_own(status.run.version):
                with suppress(ResourcesUnavailable, BackendUnavailable):
                    await self._launch(status.run)

    async def close(self) -> None:
        if self._keeping_awake is not None:
            self._keeping_awake.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping_awake
            self._keeping_awake = None
        if self._ends is not None:
            asyncio.get_running_loop().remove_reader(self._ends)
            os.close(self._ends)
            self._ends = None
        self._warm = None
        self._others = {}

    async def warm_parent(self) -> WarmRecord | None:
        """What the warm parent says of itself, with the preloads that failed; None while it starts."""
        return await asyncio.to_thread(self._warm.record) if self._warm else None

    def _check(self, run: JobRun) -> None:
        gpus = len(machine_gpus({**os.environ, **self._environment}))
        if run.resources.gpus > gpus:
            raise ResourcesUnavailable(
                "hardware.gpus", f"{run.resources.gpus} asked, this machine has {gpus}", f"set it to {gpus} or fewer"
            )
        if run.resources.nodes > 1:
            raise ResourcesUnavailable(
                "hardware.nodes", f"{run.resources.nodes} asked, the local backend has 1", "set it to 1"
            )
        self._environments.python(run)

    async def _launch(self, run: JobRun, /) -> None:
        if self._warm is None:
            return
        python = self._environments.python(run)
        if python is None:
            await asyncio.to_thread(self._warm.ensure)
            return
        known = self._others.get(run.version)
        if known is None:
            known = self._others[run.version] = await asyncio.to_thread(self._client, run.version, python)
            await asyncio.to_thread(known.renew)
        else:
            await asyncio.to_thread(known.ensure)

    async def _stop_own(self) -> None:
        for warm in (self._warm, *self._others.values()):
            if warm is not None:
                await asyncio.to_thread(warm.end)

    async def _keep_awake(self, warm: WarmClient) -> None:
        """A disk that is full, or a process too many, only delays: else what is queued would wait for ever."""
        await asyncio.sleep(self._warm_up_after_s)
        while True:
            try:
                await asyncio.to_thread(warm.ensure)
                if self._others:
                    await self._rouse_others()
            except OSError as error:
                log.warning("the warm parent could not be seen to; trying again", error=repr(error))
            await asyncio.sleep(KEEP_AWAKE_S)

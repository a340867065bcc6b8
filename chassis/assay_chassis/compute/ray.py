"""Runs jobs on a Ray cluster: Ray finds the place, a keeper there does the rest.
Never keeps state in Ray: the runs' folders say everything, as for the local backend."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay_chassis.compute.base import JobRun, Resources
from assay_chassis.compute.environments import OWN_ONLY, Environments, for_another_python
from assay_chassis.compute.errors import BackendUnavailable, ResourcesUnavailable
from assay_chassis.compute.folder import RunFolder
from assay_chassis.compute.folders import FolderBackend
from assay_chassis.compute.processes import GIB

NAMESPACE = "assay"
CLUSTER = "RAY_ADDRESS"
TOKEN_MEND = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's token"


class RayBackend(FolderBackend):
    """A ComputeBackend on the cluster at `address`, or on one started here when there is none.

    The root must be a folder that every node sees. A run waits in Ray's queue as a detached actor,
    so it outlives the service; on a cluster started here it does so only while this process lives."""

    def __init__(
        self,
        root: Path,
        *,
        address: str | None = None,
        environment: Mapping[str, str] | None = None,
        grace_s: float = 10.0,
        environments: Environments = OWN_ONLY,
    ) -> None:
        super().__init__(root, grace_s)
        self._environments = environments
        self._address = address
        self._environment = dict(environment or {})
        self._connected = False

    async def start(self) -> None:
        if not self._connected:
            self.root.mkdir(parents=True, exist_ok=True)
            await asyncio.to_thread(self._connect)
            self._connected = True
            for status in await self.list():
                if not status.state.ended:
                    # One whose version is here no more waits for it, as it would on one machine.
                    with suppress(ResourcesUnavailable):
                        await self._launch(status.run)

    async def close(self) -> None:
        if self._connected:
            import ray

            await asyncio.to_thread(ray.shutdown)
            self._connected = False

    def _connect(self) -> None:
        import ray
        from ray.exceptions import AuthenticationError

        try:
            ray.init(
                address=self._address,
                namespace=NAMESPACE,
                include_dashboard=None if self._address else False,
                log_to_driver=False,
                logging_level="warning",
                ignore_reinit_error=True,
            )
        except AuthenticationError as error:
            problem = f"{self._address} asks for another token, or for one at all"
            raise BackendUnavailable("ray", problem, TOKEN_MEND) from error
        except (ConnectionError, RuntimeError) as error:
            mend = f"start the cluster or correct ASSAY_RAY_ADDRESS; if it asks for a token, {TOKEN_MEND}"
            raise BackendUnavailable("ray", f"cannot reach {self._address}: {error}", mend) from error

    def _check(self, run: JobRun) -> None:
        self._environments.python(run)

    async def _launch(self, run: JobRun) -> None:
        folder = RunFolder(self.root / run.name)
        if not folder.has("keeper.json"):
            await asyncio.to_thread(self._create_actor, run, folder)

    def _create_actor(self, run: JobRun, folder: RunFolder) -> None:
        """The actor's name makes it one, however often it is asked for."""
        import ray

        resources = place_of(run)
        ray.remote(Place).options(
            name=run.name,
            namespace=NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=0,
            num_cpus=resources.cpus,
            num_gpus=resources.gpus,
            memory=int((resources.memory_gib or 0) * GIB) or None,
        ).remote(str(folder.path), self.grace_s, self._environment, self._environments.python(run))

    async def _stop_own(self) -> None:
        """A cluster started here ends with the connection; another one is not ours to stop."""


def place_of(run: JobRun) -> Resources:
    """What is held while a run's keeper works: all of one node's part, or nothing where the run's own processes on
    other nodes hold it."""
    if run.machines > 1:
        return Resources.model_construct(cpus=0, gpus=0, memory_gib=None)
    return run.resources


class Place:
    """A place on the cluster, held while a run's keeper works there. Runs as a Ray actor."""

    def __init__(self, folder: str, grace_s: float, environment: Mapping[str, str], python: Path | None) -> None:
        import ray

        command = [str(python or sys.executable), "-m", "assay_chassis.compute.keep_run", folder, str(grace_s)]
        inherited = for_another_python(os.environ) if python else os.environ
        cluster = {CLUSTER: ray.get_runtime_context().gcs_address}
        env = {**inherited, **environment, **cluster}
        keeper = subprocess.Popen(command, env=env, start_new_session=True)
        threading.Thread(target=_leave_after, args=(keeper,), daemon=True).start()


def _leave_after(keeper: subprocess.Popen[Any]) -> None:
    """Give the place back when the run has ended."""
    keeper.wait()
    os._exit(0)

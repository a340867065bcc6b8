"""A stand-in for a cluster: an API server in memory whose jobs are let in at once and run as processes.
Never queues, preempts or checks anything as Kubernetes and Kueue do: those have tests on the real ones."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubelet
from fake_api import JOBS, KUEUE, PODS, FakeApi, Object, cluster_queue
from leash import Leash

GRACE_S = 30
LET_IN_S = 0.05


class StandIn(FakeApi):
    """Job controller, scheduler, Kueue and node in one, as short as can be. One pod for each Job."""

    def __init__(self, folder: Path, leash: Leash) -> None:
        super().__init__()
        self._leash = leash
        self._folder = folder
        self._folder.mkdir(parents=True)
        self._pods: dict[str, kubelet.Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.single[f"{KUEUE}/clusterqueues/all"] = cluster_queue("64")

    def put(self, path: str, item: Object) -> Object:
        is_new = item["metadata"]["name"] not in self.collections[path]
        put = super().put(path, item)
        if path == JOBS and is_new:
            self._go(self._run(item["metadata"]["name"]))
        return put

    def remove(self, path: str, name: str) -> None:
        super().remove(path, name)
        if path == JOBS and name in self._pods:
            self._pods[name].delete(GRACE_S)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stop()

    def _go(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, name: str) -> None:
        await asyncio.sleep(LET_IN_S)
        if name not in self.collections[JOBS]:
            return
        self.change(JOBS, name, lambda job: job["spec"].update(suspend=False))
        template = self.collections[JOBS][name]["spec"]["template"]
        metadata = {"name": f"{name}-x", "uid": uuid.uuid4().hex, "namespace": "assay", **template["metadata"]}
        item = self.put(PODS, {"metadata": metadata, "spec": template["spec"], "status": {"phase": "Pending"}})
        self._pods[name] = kubelet.Pod(self, item, self._folder, self._leash.environment)
        await self._pods[name].live()

    async def send(self, method: str, path: str, body: Object | None = None, kind: str = "") -> None:
        """What a pod's process reports of itself: its status, and that it is gone."""
        name = path.partition("/pods/")[2].partition("/")[0]
        if method == "DELETE":
            self.remove(PODS, name)
        elif body is not None:
            status = body["status"]
            self.change(PODS, name, lambda pod: pod["status"].update(status))
            self._end_job(name.removesuffix("-x"), status["phase"])

    def _end_job(self, name: str, phase: str) -> None:
        kinds = {"Succeeded": "Complete", "Failed": "Failed"}
        if phase in kinds and name in self.collections[JOBS]:
            condition = {"type": kinds[phase], "status": "True", "reason": "BackoffLimitExceeded"}
            self.change(JOBS, name, lambda job: job.update(status={"conditions": [condition]}))


@contextmanager
def stand_in(folder: Path) -> Iterator[tuple[StandIn, Path]]:
    """One in a thread of its own, and a kubeconfig for it."""
    loop, leash = asyncio.new_event_loop(), Leash()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[StandIn, Path]:
        api = StandIn(folder / "node", leash)
        return api, await api.start(folder)

    api, kubeconfig = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield api, kubeconfig
    finally:
        asyncio.run_coroutine_threadsafe(api.end(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        leash.end()

"""The stand-in for a kubelet keeps at a pod as a real one does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubelet import Kubelet, Pod

pytestmark = pytest.mark.real


class Hesitant:
    """An API server that lets a node read its pod's Secret a moment late, and then has none."""

    def __init__(self) -> None:
        self.asked = 0
        self.told = asyncio.Queue[Any]()

    async def send(self, method: str, path: str, body: Any = None, kind: str = "") -> None:
        if method == "PATCH":
            self.told.put_nowait(body["status"]["containerStatuses"][0]["state"])
            return
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("403: no relationship found between node 'node-1' and this object")


async def test_a_pod_whose_secret_may_not_be_read_yet_is_not_forgotten(tmp_path: Path) -> None:
    container = {"name": "job", "image": "i", "command": ["true"], "envFrom": [{"secretRef": {"name": "store"}}]}
    metadata = {"name": "pod-1", "namespace": "team", "uid": "1"}
    api = Hesitant()
    living = asyncio.create_task(
        Pod(api, {"metadata": metadata, "spec": {"containers": [container]}}, tmp_path, {}).live()
    )
    state = await asyncio.wait_for(api.told.get(), 20)
    living.cancel()
    assert (api.asked, state["waiting"]["message"]) == (2, 'secret "store" not found')


class Forgetful:
    """An API server with one pod, whose object is gone as soon as it ended."""

    def __init__(self, pod: dict[str, Any]) -> None:
        self._pod = pod
        self._ended = asyncio.Event()
        self.listed = asyncio.Queue[None]()
        self.deletions = 0

    async def send(self, method: str, path: str, body: Any = None, kind: str = "") -> Any:
        if method == "GET":
            self.listed.put_nowait(None)
            return {"items": [], "metadata": {"resourceVersion": "1"}}
        if path.endswith("pod-1/status") and body["status"]["phase"] == "Succeeded":
            self._ended.set()
        self.deletions += method == "DELETE"
        return {}

    async def watch(self, path: str, version: str) -> AsyncIterator[dict[str, Any]]:
        if not self._ended.is_set():
            yield {"type": "ADDED", "object": self._pod}
            await self._ended.wait()
            yield {"type": "DELETED", "object": self._pod}


async def test_an_ended_pod_that_is_gone_is_not_deleted_once_more(tmp_path: Path) -> None:
    container = {"name": "job", "image": "i", "command": ["true"]}
    metadata = {"name": "pod-1", "namespace": "team", "uid": "1"}
    api = Forgetful({"metadata": metadata, "spec": {"containers": [container]}, "status": {"phase": "Pending"}})
    running = asyncio.create_task(Kubelet(api, "node-1", 0, tmp_path).run())  # type: ignore[arg-type]
    for _ in range(3):
        await asyncio.wait_for(api.listed.get(), 20)
    running.cancel()
    assert api.deletions == 0

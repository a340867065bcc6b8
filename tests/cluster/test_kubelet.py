"""The stand-in for a kubelet keeps at a pod as a real one does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kubelet import Pod

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

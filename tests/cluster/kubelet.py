"""A stand-in for a kubelet: a node whose pods are processes of this machine, for tests.
Never isolates anything: a pod's command runs as it is, images only name what can be "pulled".

`python kubelet.py NAME API_URL PORT CA CERTIFICATE KEY FOLDER`
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import aiohttp
from aiohttp import web
from containers import POD, Container, MissingSource, own_address, own_volumes
from leash import end_marked, mark_of

MISSING_IMAGE = "missing"
CAPACITY = {"cpu": "64", "memory": "256Gi", "pods": "200", "nvidia.com/gpu": "8"}
GPU_TYPE = "TEST-GPU"
LEASE_S = 4
MESSAGE_BYTES = 2048
MERGE = "application/merge-patch+json"
Object = dict[str, Any]


class Api:
    """The API server, as this node."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def send(self, method: str, path: str, body: Object | None = None, kind: str = "application/json") -> Any:
        """The answer, or None where there is no such object or it is there already."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind}
        timeout = aiohttp.ClientTimeout(total=10)
        async with self._session.request(
            method, f"{self._url}{path}", data=data, headers=headers, timeout=timeout
        ) as response:
            if response.status in (404, 409):
                return None
            content = await response.json()
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: {content.get('message')}")
            return content

    async def watch(self, path: str, version: str) -> Any:
        query = f"&watch=1&resourceVersion={version}&timeoutSeconds=120"
        timeout = aiohttp.ClientTimeout(total=None, sock_read=130)
        async with self._session.get(f"{self._url}{path}{query}", timeout=timeout) as response:
            response.raise_for_status()
            async for line in response.content:
                yield json.loads(line)


class Pod:
    """One pod's process, after those of its init containers. `mark` goes into the environment of all of them."""

    def __init__(self, api: Any, item: Object, folder: Path, mark: Mapping[str, str]) -> None:
        self._api = api
        self.item = item
        self.metadata = item["metadata"]
        self.log = folder / f"{self.metadata['uid']}.log"
        self._path = f"/api/v1/namespaces/{self.metadata['namespace']}/pods/{self.metadata['name']}"
        self._spec = item["spec"]["containers"][0]
        self._folder = folder
        self._container = Container(api, item, self._spec, folder, mark)
        self._before = [Container(api, item, spec, folder, mark) for spec in item["spec"].get("initContainers", [])]
        self._deleted = asyncio.Event()
        self._grace_s = 0.0

    def delete(self, grace_s: float) -> None:
        """It has so long to end. Without grace its object is gone by itself, or already."""
        self._grace_s = grace_s
        self._deleted.set()

    async def live(self) -> None:
        """From the bound pod to its end, and to its removal where it was deleted."""
        if self._spec["image"].startswith(MISSING_IMAGE):
            waiting = {"reason": "ImagePullBackOff", "message": f"no such image: {self._spec['image']}"}
            await self._report("Pending", {"waiting": waiting})
        else:
            try:
                await self._run()
            except MissingSource as error:
                waiting = {"reason": "CreateContainerConfigError", "message": str(error)}
                await self._report("Pending", {"waiting": waiting})
        await self._deleted.wait()
        if self._grace_s:
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.metadata["uid"]}}
            await steadily(lambda: self._api.send("DELETE", self._path, body))

    async def _run(self) -> None:
        began, code = now(), 0
        environment = await steadily(self._container.environment)
        try:
            with self.log.open("wb") as output:
                for container in self._before:
                    code = code or await self._follow(await self._start(container, output), container, {})
                if not code:
                    process = await self._start(self._container, output)
                    await self._report("Running", {"running": {"startedAt": began}})
                    code = await self._follow(process, self._container, environment)
        finally:
            self._clear()
        code = code if code >= 0 else 128 - code
        words = self.log.read_bytes()[-MESSAGE_BYTES:].decode(errors="replace") if code else ""
        reason = "Error" if code else "Completed"
        end = {"exitCode": code, "reason": reason, "message": words, "startedAt": began, "finishedAt": now()}
        await self._report("Failed" if code else "Succeeded", {"terminated": end})

    async def _start(self, container: Container, output: IO[bytes]) -> asyncio.subprocess.Process:
        environment = await steadily(container.environment)
        process = await asyncio.create_subprocess_exec(
            *container.command(), stdout=output, stderr=output, env=environment, start_new_session=True
        )
        self.log.with_suffix(".pid").write_text(str(process.pid))
        return process

    async def _follow(
        self, process: asyncio.subprocess.Process, container: Container, environment: Mapping[str, str]
    ) -> int:
        """Until the process ended; its exit code."""
        ending = asyncio.create_task(self._end_when_deleted(process, container.before_its_end(), environment))
        try:
            return await process.wait()
        finally:
            ending.cancel()

    async def _end_when_deleted(
        self, process: asyncio.subprocess.Process, first: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        await self._deleted.wait()
        give_up = time.monotonic() + self._grace_s
        if first:
            asked = await asyncio.create_subprocess_exec(*first, env=environment, start_new_session=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asked.wait(), self._grace_s)
        process.terminate()
        await asyncio.sleep(max(0.0, give_up - time.monotonic()))
        process.kill()

    def _clear(self) -> None:
        """What a container's end ends: all its processes, and its own volumes."""
        end_marked(POD, self.metadata["uid"])
        self.log.with_suffix(".pid").unlink(missing_ok=True)
        shutil.rmtree(own_volumes(self._folder, self.item), ignore_errors=True)

    async def _report(self, phase: str, state: Object) -> None:
        ready = str("running" in state)
        container = {
            "name": self._spec["name"],
            "image": self._spec["image"],
            "imageID": "",
            "ready": "running" in state,
            "restartCount": 0,
            "state": state,
        }
        kinds = ("Initialized", "Ready", "ContainersReady")
        conditions = [{"type": kind, "status": ready if kind != "Initialized" else "True"} for kind in kinds]
        conditions.append({"type": "PodScheduled", "status": "True"})
        status = {"phase": phase, "containerStatuses": [container], "conditions": conditions, "startTime": now()}
        if "running" in state:
            status |= {"podIP": own_address(), "podIPs": [{"ip": own_address()}]}
        await steadily(lambda: self._api.send("PATCH", f"{self._path}/status", {"status": status}, MERGE))


class Kubelet:
    """One node."""

    def __init__(self, api: Api, name: str, port: int, folder: Path) -> None:
        self._api = api
        self._name = name
        self._port = port
        self._folder = folder
        self._pods: dict[str, Pod] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await steadily(self._register)
        self._go(self._renew())
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, RuntimeError, OSError):
                await self._follow()
            await asyncio.sleep(0.5)

    async def _register(self) -> None:
        labels = {"kubernetes.io/hostname": self._name, "nvidia.com/gpu.product": GPU_TYPE}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self._name, "labels": labels}}
        await self._api.send("POST", "/api/v1/nodes", node)
        status = {
            "capacity": CAPACITY,
            "allocatable": CAPACITY,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": now()},
            ],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": self._name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": {"kubeletVersion": "v1.36.3", "operatingSystem": "linux", "architecture": "amd64"},
        }
        path = f"/api/v1/nodes/{self._name}/status"
        await self._api.send("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")

    async def _renew(self) -> None:
        path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
        while True:
            moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            spec = {"holderIdentity": self._name, "leaseDurationSeconds": 40, "renewTime": moment}
            lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": spec}
            lease["metadata"] = {"name": self._name, "namespace": "kube-node-lease"}
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, RuntimeError, OSError):
                if await self._api.send("PATCH", f"{path}/{self._name}", {"spec": spec}, MERGE) is None:
                    await self._api.send("POST", path, lease)
            await asyncio.sleep(LEASE_S)

    async def _follow(self) -> None:
        path = f"/api/v1/pods?fieldSelector=spec.nodeName%3D{self._name}"
        found = await self._api.send("GET", path)
        for item in found["items"]:
            self._see(item)
        gone = self._pods.keys() - {item["metadata"]["uid"] for item in found["items"]}
        for uid in gone:
            self._pods.pop(uid).delete(0)
        async for event in self._api.watch(path, found["metadata"]["resourceVersion"]):
            if event["type"] == "ERROR":
                return
            if event["type"] in ("ADDED", "MODIFIED"):
                self._see(event["object"])
            elif event["type"] == "DELETED" and (pod := self._pods.pop(event["object"]["metadata"]["uid"], None)):
                pod.delete(0)

    def _see(self, item: Object) -> None:
        uid = item["metadata"]["uid"]
        if uid not in self._pods and item["status"].get("phase") == "Pending":
            pod = self._pods[uid] = Pod(self._api, item, self._folder, mark_of(os.environ))
            self._go(pod.live())
        if "deletionTimestamp" in item["metadata"] and uid in self._pods:
            self._pods[uid].delete(item["metadata"].get("deletionGracePeriodSeconds", 0))

    def _go(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def logs(self, request: web.Request) -> web.Response:
        """GET /containerLogs/NAMESPACE/POD/CONTAINER?tailLines=N"""
        pods = [pod for pod in self._pods.values() if pod.metadata["name"] == request.match_info["pod"]]
        if not pods or not pods[-1].log.exists():
            raise web.HTTPNotFound
        lines = pods[-1].log.read_text(errors="replace").splitlines(keepends=True)
        return web.Response(text="".join(lines[-int(request.query.get("tailLines", len(lines) or 1)) :]))


async def steadily(call: Any) -> Any:
    """What it gives once the API server takes it: that may be away for a while, and takes a moment to let a node read
    what its new pod reads."""
    give_up = time.monotonic() + 120
    while True:
        try:
            return await call()
        except (aiohttp.ClientError, TimeoutError, OSError, RuntimeError) as error:
            print("tried again:", repr(error), flush=True)
            if time.monotonic() >= give_up:
                raise
            await asyncio.sleep(0.5)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def main(arguments: list[str]) -> None:
    name, url, port, authority, certificate, key, folder = arguments
    Path(folder).mkdir(parents=True, exist_ok=True)
    client = ssl.create_default_context(cafile=authority)
    client.load_cert_chain(certificate, key)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    server.load_cert_chain(certificate, key)
    server.verify_mode = ssl.CERT_REQUIRED
    connector = aiohttp.TCPConnector(ssl=client)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**21) as session:
        kubelet = Kubelet(Api(session, url), name, int(port), Path(folder))
        application = web.Application()
        application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", kubelet.logs)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(port), ssl_context=server).start()
        await kubelet.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))

"""An API server that holds what a test puts into it: lists, watches, creates and deletes, over HTTP.
Never does anything by itself: the test is the controllers, Kueue and the nodes."""

from __future__ import annotations

import asyncio
import copy
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

KUEUE = "/apis/kueue.x-k8s.io/v1beta2"
NAMESPACE = "/namespaces/assay"
JOBS = f"/apis/batch/v1{NAMESPACE}/jobs"
PODS = f"/api/v1{NAMESPACE}/pods"
RAY_JOBS = f"/apis/ray.io/v1{NAMESPACE}/rayjobs"
WORKLOADS = f"{KUEUE}{NAMESPACE}/workloads"
EVENTS = f"/api/v1{NAMESPACE}/events"
Object = dict[str, Any]


class FakeApi:
    """Collections of objects by path, single objects by path, and the reviews of permissions."""

    def __init__(self) -> None:
        self.collections: dict[str, dict[str, Object]] = {JOBS: {}, PODS: {}, WORKLOADS: {}}
        self.single: dict[str, Object] = {
            "/apis/kueue.x-k8s.io": {"preferredVersion": {"groupVersion": "kueue.x-k8s.io/v1beta2"}},
            f"{KUEUE}{NAMESPACE}/localqueues/assay": {"spec": {"clusterQueue": "all"}, "status": {}},
            f"{KUEUE}/clusterqueues/all": cluster_queue("8"),
            **{f"{KUEUE}/workloadpriorityclasses/assay-{name}": {} for name in ("low", "med", "high")},
        }
        self.refused: set[tuple[str, str]] = set()
        self.logs: dict[str, str] = {}
        self.away = False
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.calls: list[str] = []
        self._version = 1
        self._events: list[tuple[str, int, Object]] = []
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self, folder: Path) -> Path:
        """Listen; a kubeconfig for it."""
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        listening = socket.create_server(("127.0.0.1", 0))
        await web.SockSite(self._runner, listening).start()
        config = {
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{listening.getsockname()[1]}"}}],
            "users": [{"name": "x", "user": {}}],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    async def stop(self) -> None:
        self.away = True
        self._notify()
        assert self._runner is not None
        await self._runner.cleanup()

    def install_kuberay(self) -> None:
        """From now on there are RayJobs."""
        self.single["/apis/ray.io/v1"] = {"resources": [{"name": "rayjobs"}]}
        self.collections[RAY_JOBS] = {}

    def put(self, path: str, item: Object) -> Object:
        """Add or replace an object, as a controller would."""
        kind = "MODIFIED" if item["metadata"]["name"] in self.collections[path] else "ADDED"
        self._version += 1
        item["metadata"] |= {"resourceVersion": str(self._version)}
        item["metadata"].setdefault("uid", f"uid-{self._version}")
        item["metadata"].setdefault("creationTimestamp", f"2026-01-01T00:00:{self._version % 60:02}Z")
        item.setdefault("status", {})
        self.collections[path][item["metadata"]["name"]] = item
        self._tell(kind, path, item)
        return item

    def change(self, path: str, name: str, change: Callable[[Object], Any]) -> None:
        item = copy.deepcopy(self.collections[path][name])
        change(item)
        self.put(path, item)

    def remove(self, path: str, name: str) -> None:
        item = self.collections[path].pop(name)
        self._version += 1
        item["metadata"]["resourceVersion"] = str(self._version)
        self._tell("DELETED", path, item)

    def _tell(self, kind: str, path: str, item: Object) -> None:
        self._events.append((path, self._version, {"type": kind, "object": copy.deepcopy(item)}))
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.calls.append(f"{request.method} {path}")
        if self.away:
            return refused(503, "the server is away")
        if path.endswith("/selfsubjectaccessreviews"):
            asked = (await request.json())["spec"]["resourceAttributes"]
            allowed = (asked["verb"], asked["resource"]) not in self.refused
            return web.json_response({"status": {"allowed": allowed}}, status=201)
        if path == "/version":
            return web.json_response({}, headers={"Date": format_datetime(self.now(), usegmt=True)})
        if path in self.single:
            return web.json_response(self.single[path])
        if path in self.collections:
            return await self._answer_collection(request, path)
        folder, _, name = path.rpartition("/")
        if request.method == "DELETE" and name in self.collections.get(folder, {}):
            self.remove(folder, name)
            return web.json_response({})
        if name == "log" and folder.rpartition("/")[2] in self.logs:
            return web.Response(text=self.logs[folder.rpartition("/")[2]])
        return refused(404, f"{path} is not there")

    async def _answer_collection(self, request: web.Request, path: str) -> web.StreamResponse:
        if request.method == "POST":
            item = await request.json()
            if item["metadata"]["name"] in self.collections[path]:
                return refused(409, "there already")
            return web.json_response(self.put(path, item), status=201)
        if "watch" in request.query:
            return await self._watch(request, path)
        items = list(self.collections[path].values())
        if about := request.query.get("fieldSelector", "").removeprefix("involvedObject.name="):
            items = [item for item in items if item["involvedObject"]["name"] == about]
        return web.json_response({"items": items, "metadata": {"resourceVersion": str(self._version)}})

    async def _watch(self, request: web.Request, path: str) -> web.StreamResponse:
        reached = int(request.query["resourceVersion"])
        response = web.StreamResponse()
        await response.prepare(request)
        while not self.away:
            changed = self._changed
            for where, version, event in list(self._events):
                if where == path and version > reached:
                    reached = version
                    await response.write(json.dumps(event).encode() + b"\n")
            await changed.wait()
        return response


def refused(code: int, message: str) -> web.Response:
    return web.json_response({"kind": "Status", "message": message, "code": code}, status=code)


def cluster_queue(cpu: str) -> Object:
    resources = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": "64Gi"}]
    flavors = [{"name": "any", "resources": resources}]
    groups = [{"coveredResources": ["cpu", "memory"], "flavors": flavors}]
    return {"metadata": {"name": "all"}, "spec": {"resourceGroups": groups}}

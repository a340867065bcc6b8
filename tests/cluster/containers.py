"""From a container's specification to a command, an environment and folders of this machine.
Never starts anything; names of services and ports become those of the one machine that all pods share."""

from __future__ import annotations

import base64
import os
import re
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

POD = "STAND_IN_POD"
"""The variable that marks every process of a pod with the pod's uid."""
SERVICE_NAME = re.compile(r"[a-z0-9-]+\.[a-z0-9-]+\.svc\.cluster\.local")
OWN_PORT = re.compile(r"--(dashboard-agent-listen-port|metrics-export-port)[= ]+\d+")
"""Ports that each machine of a Ray cluster has for itself, and all would want to have here."""
FIELD = re.compile(r"metadata\.(?:labels|annotations)\['(.+)'\]")
Object = dict[str, Any]


class MissingSource(Exception):
    """What a container's environment is read from is not there."""


class Container:
    """One container of a pod. `api` reads what its environment comes from; `folder` is the node's own."""

    def __init__(self, api: Any, item: Object, spec: Object, folder: Path, mark: Mapping[str, str]) -> None:
        self._api = api
        self._item = item
        self._spec = spec
        self._folder = folder
        self._mark = mark

    def command(self) -> list[str]:
        words = [*self._spec["command"], *self._spec.get("args", [])]
        return [OWN_PORT.sub(lambda found: f"--{found[1]}={free_port()}", here(word)) for word in words]

    def before_its_end(self) -> list[str]:
        """What it asks for before SIGTERM; empty where it asks for nothing."""
        found: list[str] = self._spec.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [])
        return found

    async def environment(self) -> dict[str, str]:
        """The container's variables; paths under its volumes become folders of this machine.

        Raises MissingSource."""
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "LANG": "C.UTF-8", **self._mark}
        own |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"), POD: self._item["metadata"]["uid"]}
        for source in self._spec.get("envFrom", []):
            own |= await self._source(source)
        for entry in self._spec.get("env", []):
            value = await self._value(entry["valueFrom"]) if "valueFrom" in entry else entry.get("value", "")
            own[entry["name"]] = here(value)
        for mount in self._spec.get("volumeMounts", []):
            if mount["mountPath"].startswith("/var/run/secrets") or mount["mountPath"] == "/dev/shm":
                continue
            place, root = self._place(mount), mount["mountPath"]
            place.mkdir(parents=True, exist_ok=True)
            await self._project(mount["name"], place)
            own = {
                name: str(place) + value.removeprefix(root) if value == root or value.startswith(f"{root}/") else value
                for name, value in own.items()
            }
        return own

    async def _project(self, name: str, place: Path) -> None:
        """The files of a projected volume's ConfigMaps, where they are there."""
        (volume,) = [volume for volume in self._item["spec"].get("volumes", []) if volume["name"] == name]
        sources = [source for source in volume.get("projected", {}).get("sources", []) if "configMap" in source]
        for source in sources:
            with suppress(MissingSource):
                for file, content in (await self._source({"configMapRef": source["configMap"]})).items():
                    (place / file).write_text(content)

    def _place(self, mount: Object) -> Path:
        """A folder of the pod's own, or for a claim one that all nodes see."""
        volumes = {volume["name"]: volume for volume in self._item["spec"].get("volumes", [])}
        claim = volumes[mount["name"]].get("persistentVolumeClaim", {}).get("claimName")
        if claim is not None:
            namespace = self._item["metadata"]["namespace"]
            return self._folder.parent / "claims" / namespace / claim / mount.get("subPath", "")
        return own_volumes(self._folder, self._item) / mount["name"]

    async def _value(self, source: Object) -> str:
        if "fieldRef" in source:
            return field_of(self._item, source["fieldRef"]["fieldPath"])
        wanted = source["secretKeyRef"]
        return (await self._source({"secretRef": wanted}))[wanted["key"]]

    async def _source(self, source: Object) -> dict[str, str]:
        namespace = self._item["metadata"]["namespace"]
        if "secretRef" in source:
            name = source["secretRef"]["name"]
            secret = await self._api.send("GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
            if secret is None:
                raise MissingSource(f'secret "{name}" not found')
            return {key: base64.b64decode(value).decode() for key, value in secret.get("data", {}).items()}
        name = source["configMapRef"]["name"]
        found = await self._api.send("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
        if found is None:
            raise MissingSource(f'configmap "{name}" not found')
        return dict(found.get("data", {}))


def own_volumes(folder: Path, item: Object) -> Path:
    """Where a pod's own volumes lie; they go with it."""
    return folder / str(item["metadata"]["uid"])


def field_of(item: Object, path: str) -> str:
    """What the downward API gives for a path."""
    if path == "status.podIP":
        return own_address()
    if labelled := FIELD.fullmatch(path):
        kind = "labels" if path.startswith("metadata.labels") else "annotations"
        return str(item["metadata"].get(kind, {}).get(labelled[1], ""))
    return str(item["metadata"][path.removeprefix("metadata.")])


def here(text: str) -> str:
    """With every service's name as the address that all pods share."""
    return SERVICE_NAME.sub(own_address(), text)


def own_address() -> str:
    """An address of this machine that the API server's proxy connects to: not the loopback one, where there is one."""
    for addresses in psutil.net_if_addrs().values():
        for each in addresses:
            if each.family == socket.AF_INET and not each.address.startswith("127."):
                return each.address
    return "127.0.0.1"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

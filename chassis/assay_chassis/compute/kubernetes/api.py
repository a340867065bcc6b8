"""The API server, as JSON in and out: authenticated, with a time limit on every call.
Never keeps what it reads; `informer` does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from assay_chassis.compute.kubernetes.errors import ClusterMisconfigured, ClusterUnavailable, refusal

CALL_S = 15.0
WATCH_S = 240
SILENCE_S = 60
IN_CLUSTER = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
Object = dict[str, Any]


class KubernetesApi:
    """One connection pool. Raises ClusterUnavailable from every call, its subclasses by HTTP status."""

    def __init__(self, client: Any) -> None:
        self._client = client

    @classmethod
    async def connect(cls, kubeconfig: Path | None) -> KubernetesApi:
        """Read where the API server is and who we are; connects with the first call.

        Raises ClusterMisconfigured when that is nowhere to be read."""
        from kubernetes_asyncio import client, config

        configuration = client.Configuration()
        try:
            if kubeconfig is None and await asyncio.to_thread(IN_CLUSTER.exists):
                config.load_incluster_config(client_configuration=configuration)
            else:
                file = str(kubeconfig) if kubeconfig else None
                await config.load_kube_config(config_file=file, client_configuration=configuration)
        except (config.ConfigException, OSError) as error:
            mend = "set ASSAY_KUBERNETES_KUBECONFIG to a kubeconfig file, or run the service in a pod"
            raise ClusterMisconfigured(f"no way to the API server was found: {error}", mend) from error
        return cls(client.ApiClient(configuration))

    async def close(self) -> None:
        await self._client.close()

    async def get(self, path: str, **query: str | int) -> Object:
        return await self._json("GET", path, query)

    async def create(self, path: str, body: Object) -> Object:
        return await self._json("POST", path, {}, body)

    async def delete(self, path: str) -> None:
        """Delete an object and, in the background, what it owns."""
        await self._json("DELETE", path, {"propagationPolicy": "Background"})

    async def text(self, path: str, **query: str | int) -> str:
        return (await self._send("GET", path, query)).decode(errors="replace")

    async def clock(self) -> datetime | None:
        """The API server's time now, to the second, by its answer's date; None where it gives none."""
        headers, _ = await self._answer("GET", "/version", {})
        with suppress(TypeError, ValueError):
            return parsedate_to_datetime(headers.get("Date", ""))
        return None

    async def watch(self, path: str, resource_version: str, **query: str) -> AsyncIterator[Object]:
        """The events after a resource version, until the server ends the watch or falls silent.

        Raises Gone when the version is too old."""
        asked = {**query, "watch": "1", "resourceVersion": resource_version, "allowWatchBookmarks": "true"}
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=WATCH_S + SILENCE_S, sock_connect=CALL_S, sock_read=WATCH_S + SILENCE_S)
        try:
            response = await self._request("GET", path, {**asked, "timeoutSeconds": WATCH_S}, None, timeout)
            async with response:
                if response.status >= 300:
                    raise refusal(response.status, _message(await response.read()))
                async for line in _lines(response.content):
                    yield _event(line)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterUnavailable(f"the watch of {path} broke: {error!r}") from error

    async def _json(self, method: str, path: str, query: Mapping[str, str | int], body: Object | None = None) -> Object:
        return _read(await self._send(method, path, query, body))

    async def _send(self, method: str, path: str, query: Mapping[str, str | int], body: Object | None = None) -> bytes:
        return (await self._answer(method, path, query, body))[1]

    async def _answer(
        self, method: str, path: str, query: Mapping[str, str | int], body: Object | None = None
    ) -> tuple[Mapping[str, str], bytes]:
        import aiohttp

        try:
            response = await self._request(method, path, query, body, CALL_S)
            async with response:
                content: bytes = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterUnavailable(f"the API server cannot be reached: {error!r}") from error
        if response.status >= 300:
            raise refusal(response.status, _message(content))
        return response.headers, content

    async def _request(
        self, method: str, path: str, query: Mapping[str, str | int], body: Object | None, timeout: Any
    ) -> Any:
        headers: dict[str, str] = {"Accept": "application/json", "User-Agent": "assay"}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"])
        url = f"{self._client.configuration.host}{path}" + (f"?{urlencode(query)}" if query else "")
        return await self._client.rest_client.request(
            method, url, headers=headers, body=body, _preload_content=False, _request_timeout=timeout
        )


async def _lines(content: Any) -> AsyncIterator[bytes]:
    """A watch's lines, of any length: aiohttp's own end at 128 KiB. What comes of a line before its end is dropped."""
    rest = b""
    async for part in content.iter_any():
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line


def _read(content: bytes) -> Object:
    try:
        found: Object = json.loads(content)
    except ValueError as error:
        raise ClusterUnavailable(f"what answered is no API server, its answer is not JSON: {error}") from error
    return found


def _event(line: bytes) -> Object:
    event = _read(line)
    if event["type"] == "ERROR":
        status = event["object"]
        raise refusal(int(status.get("code", 500)), str(status.get("message", "")))
    return event


def _message(content: bytes) -> str:
    """The words of a Status, or what came instead of one."""
    try:
        return str(json.loads(content).get("message", ""))
    except (ValueError, AttributeError):
        return content[:300].decode(errors="replace")

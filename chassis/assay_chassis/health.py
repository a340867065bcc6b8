"""HTTP beside every service: whether the process lives, whether it is ready and why not, and its metrics.

Never answers for another process, and never shows a secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from assay_chassis import telemetry

SYSTEM_ID = "ASSAY_SYSTEM_ID"
"""Names the embedded system a process belongs to, so that two of them on one machine are told apart."""
Problems = Callable[[], Awaitable[list[str]]]
_MOST_SHOWN = 20
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def add_health_routes(api: FastAPI, service: str, problems: Problems, retrying: Callable[[], list[str]]) -> None:
    """Put /healthz, /readyz and /metrics before the application's own routes."""
    own = list(api.router.routes)
    api.router.routes.clear()

    @api.get("/healthz", tags=["health"], summary="Whether the process lives")
    async def healthz() -> dict[str, str]:
        return {"service": service, "status": "alive"}

    @api.get(
        "/readyz",
        tags=["health"],
        summary="Whether events are read and written; 503 with the reasons if not",
        responses={503: {"description": "Not ready", "content": {"application/json": {"schema": {"type": "object"}}}}},
    )
    async def readyz() -> JSONResponse:
        reasons = [str(telemetry.without_secrets(reason)) for reason in await problems()]
        body = {"service": service, "ready": not reasons, "reasons": reasons, "retrying": retrying()[:_MOST_SHOWN]}
        return JSONResponse({**body, "system": os.environ.get(SYSTEM_ID)}, 503 if reasons else 200)

    @api.get(
        "/metrics",
        tags=["health"],
        summary="Metrics in Prometheus' text format",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def metrics() -> Response:
        return Response(telemetry.exposition(), media_type=METRICS_TYPE)

    api.router.routes.extend(own)


class HttpServer(uvicorn.Server):
    """uvicorn inside a running event loop, which leaves the process's signals to the service."""

    def __init__(self, api: FastAPI, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(api, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=3)
        )
        self._serving: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def start(self, timeout_s: float = 10.0) -> None:
        """Listen. Raises OSError when the address cannot be used."""
        self._serving = asyncio.create_task(self.serve())
        async with asyncio.timeout(timeout_s):
            while not self.started:
                if self._serving.done():
                    raise OSError(f"cannot listen on {self.config.host}:{self.config.port} (ASSAY_HTTP_PORT)")
                await asyncio.sleep(0.01)

    @property
    def port(self) -> int:
        """The port listened on, also when the configured one was 0."""
        for server in self.servers:
            for socket in server.sockets:
                return int(socket.getsockname()[1])
        return self.config.port

    async def stop(self) -> None:
        if self._serving is not None:
            self.should_exit = True
            await asyncio.wait({self._serving}, timeout=10)
            self._serving.cancel()

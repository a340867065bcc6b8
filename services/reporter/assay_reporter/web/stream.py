"""The live part of an experiment's page, sent again whenever it changed, as server-sent events.

One query a second for each open page; ends when the report is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from assay_chassis.app import ServiceApp
from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from assay_reporter.web.experiments import live_context
from assay_reporter.web.pages import fragment

INTERVAL_S = 1.0


def router(app: ServiceApp) -> APIRouter:
    routes = APIRouter()

    @routes.get("/experiments/{experiment_id}/stream")
    async def stream(experiment_id: str, request: Request) -> EventSourceResponse:
        return EventSourceResponse(_changes(app, experiment_id, request), ping=15)

    return routes


async def _changes(app: ServiceApp, experiment_id: str, request: Request) -> AsyncIterator[ServerSentEvent]:
    shown = ""
    while not await request.is_disconnected():
        live = await live_context(app, experiment_id)
        if live is not None:
            if live["experiment"]["report_state"] == "made" or live["experiment"]["status"] == "rejected":
                yield ServerSentEvent(event="ended", data="")
                return
            text = fragment("live.html", **live)
            if text != shown:
                shown = text
                yield ServerSentEvent(event="live", data=text)
        await app.clock.sleep(INTERVAL_S)

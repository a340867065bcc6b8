"""All experiments, newest first; one experiment with its live state or its report; the report's files."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

from assay_chassis.app import ServiceApp
from assay_chassis.object_store import ObjectNotFound
from assay_schemas.artifacts import report_prefix
from assay_schemas.reports import ReportDocument
from fastapi import APIRouter, Query, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from assay_reporter.render import FORMS
from assay_reporter.render.picture import render_picture
from assay_reporter.sinks.store import DeliveryStore
from assay_reporter.store import ReadModel
from assay_reporter.web.answers import files, pages
from assay_reporter.web.curves import charts
from assay_reporter.web.live import running, said, stages
from assay_reporter.web.pages import not_found, page

PAGE_SIZE = 50
FEWEST_OF_AN_ID = 4


async def load_report(app: ServiceApp, experiment_id: str) -> ReportDocument | None:
    """The published report, or None while there is none."""
    try:
        data = await app.store.get_bytes(f"{report_prefix(experiment_id)}/report.json")
    except ObjectNotFound:
        return None
    return ReportDocument.model_validate_json(data)


async def report_body(app: ServiceApp, experiment_id: str) -> Markup:
    """The report as it was drawn when it was made: what stands in its file's main part, escaped there."""
    text = (await app.store.get_bytes(f"{report_prefix(experiment_id)}/report.html")).decode()
    return Markup(text.partition("<main>")[2].rpartition("</main>")[0])


async def live_context(app: ServiceApp, experiment_id: str) -> dict[str, Any] | None:
    """What the live part of an experiment's page shows; None for an experiment that was never heard of."""
    async with app.database.connection() as connection:
        model = ReadModel(connection)
        experiment = await model.experiment(experiment_id)
        jobs = await model.jobs(experiment_id) if experiment else []
        points = await model.curves(experiment_id) if experiment else []
        deliveries = await DeliveryStore(connection).of(experiment_id) if experiment else []
    if experiment is None:
        return None
    return {
        "experiment": experiment,
        "stages": stages(jobs),
        "running": running(jobs),
        "waiting": said(jobs, "waiting"),
        "failed": said(jobs, "failed"),
        "curves": charts(points),
        "deliveries": deliveries,
        "now": app.clock.now(),
    }


async def whole_id(app: ServiceApp, short: str) -> str | None:
    """The one experiment whose id begins so, as commands and lists write it; None where none or several do."""
    if len(short) < FEWEST_OF_AN_ID:
        return None
    async with app.database.connection() as connection:
        rows = await ReadModel(connection).experiments(search=short, limit=PAGE_SIZE)
    whole = [row["id"] for row in rows if row["id"].startswith(short)]
    return whole[0] if len(whole) == 1 else None


def router(app: ServiceApp) -> APIRouter:
    routes = APIRouter()

    @routes.get("/", response_class=HTMLResponse)
    async def index(
        owner: str = "",
        status: str = "",
        q: Annotated[str, Query(max_length=200)] = "",
        before: datetime | None = None,
    ) -> HTMLResponse:
        async with app.database.connection() as connection:
            rows = await ReadModel(connection).experiments(
                owner=owner, status=status, search=q, before=before, limit=PAGE_SIZE
            )
            owners = await ReadModel(connection).owners()
        older = rows[-1]["first_seen_at"] if len(rows) == PAGE_SIZE else None
        filters = {"owner": owner, "status": status, "q": q}
        return page("index.html", experiments=rows, filters=filters, older=older, owners=owners)

    @routes.get("/experiments/{experiment_id}", response_class=HTMLResponse, responses=pages(307, 404))
    async def experiment_page(experiment_id: str) -> Response:
        live = await live_context(app, experiment_id)
        if live is None:
            whole = await whole_id(app, experiment_id)
            if whole is not None:
                return RedirectResponse(f"/experiments/{whole}")
            return page("unknown.html", 404, experiment_id=experiment_id)
        report = await load_report(app, experiment_id) if live["experiment"]["report_state"] == "made" else None
        if report is None:
            return page("experiment.html", **live)
        return page("finished.html", **live, report=report, body=await report_body(app, experiment_id))

    @routes.get(
        "/experiments/{experiment_id}/report.png",
        response_class=Response,
        responses={**files("image/png"), **pages(404)},
    )
    async def report_picture(experiment_id: str) -> Response:
        report = await load_report(app, experiment_id)
        if report is None:
            return not_found(f"Experiment {experiment_id} has no report yet.")
        return Response(await asyncio.to_thread(render_picture, report), media_type="image/png")

    @routes.get(
        "/experiments/{experiment_id}/report.{form}",
        response_class=Response,
        responses={**files(*(media for _, media in FORMS.values())), **pages(404)},
    )
    async def report_file(experiment_id: str, form: str) -> Response:
        if form not in FORMS:
            return not_found(f"A report comes as {', '.join([*FORMS, 'png'])}.")
        try:
            data = await app.store.get_bytes(f"{report_prefix(experiment_id)}/report.{form}")
        except ObjectNotFound:
            return not_found(f"Experiment {experiment_id} has no report yet.")
        return Response(data, media_type=FORMS[form][1])

    return routes

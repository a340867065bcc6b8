"""Two or more experiments side by side, by arm and benchmark; what differs between their set-ups is said."""

from __future__ import annotations

from assay_chassis.app import ServiceApp
from assay_schemas.reports import ReportDocument
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from assay_reporter.render.words import table_cells
from assay_reporter.web.experiments import load_report
from assay_reporter.web.pages import not_found, page

MOST = 6


def router(app: ServiceApp) -> APIRouter:
    routes = APIRouter()

    @routes.get("/compare", response_class=HTMLResponse)
    async def compare(ids: str = "") -> HTMLResponse:
        wanted = [one.strip() for one in ids.split(",") if one.strip()][:MOST]
        found = [(one, await load_report(app, one)) for one in wanted]
        absent = [one for one, report in found if report is None]
        if absent or not wanted:
            return not_found(f"No report of {', '.join(absent)}." if absent else "Give ?ids=first,second.")
        reports = [report for _, report in found if report is not None]
        columns = [(report, benchmark) for report in reports for benchmark in report.benchmarks]
        cells = {report.experiment_id: table_cells(report) for report in reports}
        return page("compare.html", reports=reports, columns=columns, cells=cells, arms=_arms(reports))

    return routes


def _arms(reports: list[ReportDocument]) -> list[str]:
    return list(dict.fromkeys(arm for report in reports for arm in report.arms))

"""What work cost, by owner and month and by experiment: device time that was measured, and what reuse saved.

Read only; prices in money are not known here, and none is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from assay_chassis.app import ServiceApp
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse

from assay_reporter.store import ReadModel
from assay_reporter.web.pages import page

MOST_EXPERIMENTS = 100


@dataclass(frozen=True)
class Costs:
    """Rows as the page shows them, and the sums of all months."""

    months: list[dict[str, Any]]
    experiments: list[dict[str, Any]]
    gpu_hours: float
    core_hours: float
    saved_gpu_hours: float
    saved_core_hours: float


def costs_of(months: list[dict[str, Any]], experiments: list[dict[str, Any]]) -> Costs:
    """Seconds become hours; each owner's share is of its month's device time, or processor time without any."""
    totals: dict[str, tuple[float, float]] = {}
    for row in months:
        gpu, cpu = totals.get(row["month"], (0.0, 0.0))
        totals[row["month"]] = (gpu + row["gpu_s"], cpu + row["cpu_s"])
    return Costs(
        months=[{**_hours(row), "share": _share(row, *totals[row["month"]])} for row in months],
        experiments=[_hours(row) for row in experiments],
        gpu_hours=sum(row["gpu_s"] for row in months) / 3600,
        core_hours=sum(row["cpu_s"] for row in months) / 3600,
        saved_gpu_hours=sum(row["saved_gpu_s"] for row in experiments) / 3600,
        saved_core_hours=sum(row["saved_cpu_s"] for row in experiments) / 3600,
    )


def _hours(row: dict[str, Any]) -> dict[str, Any]:
    """`gpu_s` becomes `gpu_hours`, `cpu_s` becomes `core_hours`; what is missing is 0."""
    names = {name: name.replace("cpu_s", "core_hours").replace("gpu_s", "gpu_hours") for name in row}
    return {names[name]: (row[name] or 0.0) / 3600 if name.endswith("_s") else row[name] for name in row}


def _share(row: dict[str, Any], gpu_s: float, cpu_s: float) -> float:
    whole, mine = (gpu_s, row["gpu_s"]) if gpu_s else (cpu_s, row["cpu_s"])
    return float(mine / whole) if whole else 0.0


def router(app: ServiceApp) -> APIRouter:
    routes = APIRouter()

    async def read(owner: str, months: int) -> Costs:
        since = _first_of_months(app.clock.now(), months)
        async with app.database.connection() as connection:
            model = ReadModel(connection)
            return costs_of(
                await model.costs_by_month(since, owner),
                await model.costs_by_experiment(since, owner, MOST_EXPERIMENTS),
            )

    @routes.get("/costs", response_class=HTMLResponse)
    async def costs(owner: str = "", months: Annotated[int, Query(ge=1, le=120)] = 12) -> HTMLResponse:
        async with app.database.connection() as connection:
            owners = await ReadModel(connection).owners()
        filters = {"owner": owner, "months": months}
        return page("costs.html", costs=await read(owner, months), filters=filters, owners=owners)

    @routes.get("/costs.json")
    async def costs_as_json(owner: str = "", months: Annotated[int, Query(ge=1, le=120)] = 12) -> JSONResponse:
        found = await read(owner, months)
        listed = [{**row, "first_seen_at": row["first_seen_at"].isoformat()} for row in found.experiments]
        return JSONResponse({**vars(found), "experiments": listed})

    return routes


def _first_of_months(now: datetime, months: int) -> datetime:
    """The start of the month `months` - 1 before this one, in UTC."""
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for _ in range(months - 1):
        first = (first - timedelta(days=1)).replace(day=1)
    return first

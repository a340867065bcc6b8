"""The responses of an experiment on a benchmark, control and arms side by side; the whole view is in the address.

Pages are made on the server, from tables that stay quick at a million samples.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Annotated, Any

from assay_chassis.app import ServiceApp
from assay_schemas.results import PlannedBenchmark
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from assay_reporter.render.words import scores_in_short
from assay_reporter.web.answers import pages
from assay_reporter.web.pages import not_found, page
from assay_reporter.web.response_table import Only, Wanted
from assay_reporter.web.response_tables import ResponseTables


def router(app: ServiceApp) -> APIRouter:
    routes = APIRouter()
    tables = ResponseTables(app)

    @routes.get("/experiments/{experiment_id}/responses", response_class=HTMLResponse, responses=pages(202, 404))
    async def responses(
        experiment_id: str,
        benchmark: str = "",
        arms: str = "",
        only: Only | None = None,
        q: Annotated[str, Query(max_length=200)] = "",
        item: Annotated[str, Query(max_length=1000)] = "",
        plain: bool = False,
        page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
    ) -> HTMLResponse:
        ended = await tables.ended(experiment_id)
        if ended is None:
            return not_found(f"Experiment {experiment_id} has no responses yet.")
        names = [one.id for one in ended.plan.benchmarks]
        chosen = ended.benchmark(benchmark or names[0])
        if chosen is None:
            return not_found(f"The experiment has no benchmark {benchmark}; it has {', '.join(names)}.")
        table = await tables.table(experiment_id, ended, chosen)
        if table is None:
            return page("preparing.html", 202, experiment_id=experiment_id, name=ended.plan.spec.name)
        only_arms = tuple(name.strip() for name in arms.split(",") if name.strip())
        wanted = Wanted(only=only or "flips", arms=only_arms, search=q, item=item, page=page_number)
        total, items = await asyncio.to_thread(table.page, wanted)
        if only is None and not total:  # where nothing can flip, everything is better than an empty page
            wanted = replace(wanted, only="all")
            total, items = await asyncio.to_thread(table.page, wanted)
        view = {
            "benchmark": chosen.id,
            "arms": arms,
            "only": wanted.only,
            "q": q,
            "item": item,
            "page": page_number,
            "plain": plain,
        }
        return page(
            "responses.html",
            name=ended.plan.spec.name,
            experiment_id=experiment_id,
            benchmarks=names,
            known_arms=[one.name for one in ended.plan.arms],
            view=view,
            metric=_metric(chosen),
            total=total,
            items=[{**shown, "scores": _scores(shown["answers"])} for shown in items],
            pages=-(-total // wanted.size),
        )

    return routes


def _scores(answers: list[dict[str, Any]]) -> str:
    return scores_in_short((one["arm"], one["score"]) for one in answers)


def _metric(benchmark: PlannedBenchmark) -> str:
    """What scores are counted in, where the benchmark's name does not say so: `bits per byte, lower is better.`"""
    if benchmark.primary in ("", benchmark.name) and benchmark.higher_is_better:
        return ""
    way = "higher" if benchmark.higher_is_better else "lower"
    return f"{benchmark.primary.replace('_', ' ')}, {way} is better."

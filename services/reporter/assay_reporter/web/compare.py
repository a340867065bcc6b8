"""Two or more experiments side by side, by arm and benchmark; what differs between their set-ups is said first.

Shows what each report found; makes no verdict across experiments.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Any

from assay_chassis.app import ServiceApp
from assay_chassis.object_store import ObjectNotFound
from assay_schemas.artifacts import experiment_prefix
from assay_schemas.differences import in_points
from assay_schemas.jobs import TrainingInputs
from assay_schemas.reports import Cell, ReportDocument
from assay_schemas.results import Plan
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from assay_reporter.amounts import amount
from assay_reporter.render.words import direction, table_cells
from assay_reporter.web.answers import pages
from assay_reporter.web.experiments import load_report
from assay_reporter.web.pages import not_found, page

MOST = 6


@dataclass(frozen=True)
class Row:
    """One arm on one benchmark in every experiment; `change`: second minus first, where there are just two.

    `points`: the metric is a share of 1, whose differences are said in points; `metric` names the unit of others.
    `alike`: the experiments asked the same of the benchmark; where they did not, a difference would mean nothing."""

    arm: str
    benchmark: str
    cells: list[Cell | None]
    direction: str = ""
    points: bool = False
    metric: str = ""
    alike: bool = True

    @property
    def change(self) -> str:
        means = [cell.mean if cell else None for cell in self.cells]
        if len(means) != 2 or means[0] is None or means[1] is None:
            return ""
        if not self.alike:
            return "not comparable"
        change = means[1] - means[0]
        unit = "points" if self.points else self.metric
        return "0" if change == 0 else f"{amount(change, proportion=self.points, signed=True)} {unit}".strip()


def router(app: ServiceApp) -> APIRouter:
    routes = APIRouter()

    @routes.get("/compare", response_class=HTMLResponse, responses=pages(404))
    async def compare(ids: Annotated[list[str] | None, Query()] = None) -> HTMLResponse:
        listed = dict.fromkeys(one.strip() for given in ids or [] for one in given.split(",") if one.strip())
        wanted = list(listed)[:MOST]
        found = [(one, await load_report(app, one)) for one in wanted]
        absent = [one for one, report in found if report is None]
        if absent or not wanted:
            how = "Mark two or more experiments on the first page, or give ?ids=first,second."
            return not_found(f"No report of {', '.join(absent)}." if absent else how)
        reports = [report for _, report in found if report is not None]
        plans = [await _plan(app, one) for one in wanted]
        apart = differences([set_up(plan) if plan else {} for plan in plans])
        return page(
            "compare.html",
            reports=reports,
            rows=rows(reports, {name for name, _ in apart}),
            differences=apart,
            left_out=len(listed) - len(wanted),
        )

    return routes


async def _plan(app: ServiceApp, experiment_id: str) -> Plan | None:
    try:
        return Plan.model_validate_json(await app.store.get_bytes(f"{experiment_prefix(experiment_id)}/plan.json"))
    except ObjectNotFound:
        return None


def rows(reports: list[ReportDocument], apart: Collection[str] = ()) -> list[Row]:
    """Every benchmark × arm that any of them has, benchmarks together; `apart`: what differs between set-ups."""
    benchmarks = dict.fromkeys(name for report in reports for name in report.benchmarks)
    arms = dict.fromkeys(arm for report in reports for arm in report.arms)
    cells = [table_cells(report) for report in reports]
    about = {name: _about(name, reports) for name in benchmarks}
    listed = [
        Row(arm, name, [one.get((arm, name)) for one in cells], *about[name], alike=f"benchmark {name}" not in apart)
        for name in benchmarks
        for arm in arms
    ]
    return [row for row in listed if any(row.cells)]


def _about(benchmark: str, reports: list[ReportDocument]) -> tuple[str, bool, str]:
    """Which way is better, whether differences are in points, and the metric, from the first report that says so."""
    for report in reports:
        verdict = next((one for one in report.verdicts if one.benchmark == benchmark), None)
        if verdict is not None:
            return direction(report, benchmark), in_points(verdict), verdict.metric.replace("_", " ")
    return "", False, ""


def set_up(plan: Plan) -> dict[str, str]:
    """What an experiment's numbers depend on besides its arms' data, as words by what it is."""
    spec = plan.spec
    found: dict[str, Any] = {
        "base model": f"{plan.model.name or spec.base_model} ({plan.model.digest[:12]})",
        "algorithm": spec.training.algorithm,
        "seeds": ", ".join(map(str, spec.seeds)),
        "checkpoint": spec.selection.policy,
    }
    engines = {job.inputs.engine_version for job in plan.jobs if isinstance(job.inputs, TrainingInputs)}
    found["engine version"] = ", ".join(sorted(engines))
    found |= {f"training, {name}": value for name, value in spec.training.hyperparameters.items()}
    for planned, asked in zip(plan.benchmarks, spec.benchmarks, strict=False):
        items = planned.items.digest[:12] if planned.items else "its own"
        settings = {name: value for name, value in asked.parameters.items() if name != "dataset"}
        extra = "".join(f", {name} {value}" for name, value in settings.items())
        limit = "all of them" if asked.limit is None else f"{asked.limit} of them"
        found[f"benchmark {planned.id}"] = f"{planned.harness_version}, items {items}, {limit}{extra}"
    found |= {f"data of {arm.name}": arm.dataset.digest[:12] for arm in plan.arms if arm.dataset}
    return {name: str(value) for name, value in found.items()}


def differences(set_ups: list[dict[str, str]]) -> list[tuple[str, list[str]]]:
    """What is not the same everywhere, with each experiment's own."""
    names = dict.fromkeys(name for one in set_ups for name in one)
    listed = [(name, [one.get(name, "–") for one in set_ups]) for name in names]
    return [(name, values) for name, values in listed if len(set(values)) > 1]

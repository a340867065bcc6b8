"""The responses of an experiment on a benchmark, control and arms side by side, filtered and paged by address.

Reads the samples from the object store; keeps the last few experiments' evidence in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Annotated, Any, Literal

from assay_chassis.app import ServiceApp
from assay_chassis.object_store import ObjectNotFound
from assay_schemas.artifacts import experiment_prefix
from assay_schemas.results import ExperimentResult, PlannedBenchmark
from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from assay_reporter.evidence import Evidence, gather_evidence
from assay_reporter.web.pages import not_found, page

PAGE_SIZE = 25
KEPT = 4
Only = Literal["all", "flips", "losses", "wins"]


class EvidenceCache:
    """The evidence of the experiments looked at last; an ended experiment's never changes."""

    def __init__(self, app: ServiceApp) -> None:
        self._app = app
        self._kept: OrderedDict[str, Evidence] = OrderedDict()

    async def get(self, experiment_id: str) -> Evidence | None:
        if experiment_id in self._kept:
            self._kept.move_to_end(experiment_id)
            return self._kept[experiment_id]
        try:
            data = await self._app.store.get_bytes(f"{experiment_prefix(experiment_id)}/result.json")
        except ObjectNotFound:
            return None
        found = await gather_evidence(self._app.store, ExperimentResult.model_validate_json(data))
        self._kept[experiment_id] = found
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


def router(app: ServiceApp) -> APIRouter:
    routes = APIRouter()
    cache = EvidenceCache(app)

    @routes.get("/experiments/{experiment_id}/responses", response_class=HTMLResponse)
    async def responses(
        experiment_id: str,
        benchmark: str = "",
        arms: str = "",
        only: Only = "flips",
        q: Annotated[str, Query(max_length=200)] = "",
        page_number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
    ) -> HTMLResponse:
        evidence = await cache.get(experiment_id)
        if evidence is None:
            return not_found(f"Experiment {experiment_id} has no responses yet.")
        names = [one.id for one in evidence.plan.benchmarks]
        chosen = next((one for one in evidence.plan.benchmarks if one.id == (benchmark or names[0])), None)
        if chosen is None:
            return not_found(f"The experiment has no benchmark {benchmark}; it has {', '.join(names)}.")
        wanted = [name for name in arms.split(",") if name]
        found = matching(evidence, chosen, wanted, only, q)
        start = (page_number - 1) * PAGE_SIZE
        view = {"benchmark": chosen.id, "arms": arms, "only": only, "q": q, "page": page_number}
        return page(
            "responses.html",
            name=evidence.plan.spec.name,
            experiment_id=experiment_id,
            benchmarks=names,
            view=view,
            total=len(found),
            items=found[start : start + PAGE_SIZE],
            pages=-(-len(found) // PAGE_SIZE),
        )

    return routes


def matching(
    evidence: Evidence, benchmark: PlannedBenchmark, arms: list[str], only: Only, search: str
) -> list[dict[str, Any]]:
    """Items with every answer, losses first; `search` is looked for in prompts, targets and responses."""
    items = _items(evidence, benchmark, arms)
    if search:
        items = {key: item for key, item in items.items() if search.lower() in item["text"].lower()}
    if only == "all":
        return list(items.values())
    from assay_reporter.scoring import benchmark_scores  # with SciPy, which the start does not wait for
    from assay_reporter.sections.flips import consistent_flips

    flips = consistent_flips(benchmark_scores(evidence, benchmark))
    kept: dict[str, dict[str, Any]] = {}
    for item, arm, change in flips:
        direction = "lost" if change < 0 else "won"
        wanted = only == "flips" or (only == "losses") == (change < 0)
        if wanted and item in items and (not arms or arm in arms):
            kept.setdefault(item, {**items[item], "notes": []})["notes"].append(f"{arm} {direction}")
    return list(kept.values())


def _items(evidence: Evidence, benchmark: PlannedBenchmark, arms: list[str]) -> dict[str, dict[str, Any]]:
    items: dict[str, dict[str, Any]] = {}
    for replicate, evaluated in evidence.evaluated(benchmark):
        if arms and replicate.arm not in (*arms, "control"):
            continue
        who = replicate.arm if replicate.seed is None else f"{replicate.arm}, seed {replicate.seed}"
        for row in evaluated.samples.to_pylist():
            empty = {"id": row["item_id"], "prompt": row["prompt"], "target": row["target"], "answers": [], "notes": []}
            item = items.setdefault(row["item_id"], {**empty, "text": f"{row['prompt']} {row['target']}"})
            item["answers"].append({"who": who, **row})
            item["text"] += f" {row['response']}"
    return items

"""Routes of experiments: ask for one, list them, look at one, cancel it, run it again.

Nothing here decides; it stores requests and shows rows.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from assay_scheduler.api.asking import ask, find_experiment, refuse_rejected, store_asked
from assay_scheduler.api.bodies import asked_for, read_document
from assay_scheduler.api.cursors import next_cursor, read_cursor
from assay_scheduler.api.described import body, refusals
from assay_scheduler.api.refusals import Refusal, invalid
from assay_scheduler.api.views import experiment_summary, experiment_view, waits_of
from assay_scheduler.handlers import cancel_experiment
from assay_scheduler.parts import Parts
from assay_scheduler.quotas import over_quota
from assay_scheduler.store import QUERIES

DRY_RUN_ID = "00000000-0000-0000-0000-000000000000"
OTHER_ENDS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The plan, with dry_run"},
    202: {"description": "Being taken in"},
}
Limit = Annotated[int, Query(ge=1, le=200)]


def experiment_routes(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["experiments"])

    @router.post(
        "/experiments",
        status_code=201,
        summary="Ask for an experiment; 202 while it is being taken in",
        responses={**refusals(413), **OTHER_ENDS},
        openapi_extra=body("Experiment"),
    )
    async def ask_for_experiment(request: Request, response: Response, dry_run: bool = False) -> dict[str, Any]:
        if dry_run:
            response.status_code = 200
            return await _plan_only(parts, request)
        row, taken_in = await ask(parts, request, "experiment")
        response.headers["Location"] = f"/experiments/{row['id']}"
        response.status_code = 201 if taken_in else 202
        return await view_experiment(parts, row)

    @router.get("/experiments", summary="Experiments, newest first")
    async def list_experiments(
        owner: str | None = None, status: str | None = None, limit: Limit = 50, cursor: str | None = None
    ) -> dict[str, Any]:
        before, identity = read_cursor(cursor)
        async with parts.app.database.connection() as connection:
            rows = await connection.fetch(QUERIES.list_experiments, owner, status, before, identity, limit)
        items = [{**experiment_summary(row), "ended_jobs": row["ended_jobs"]} for row in rows]
        return {"items": items, "cursor": next_cursor(rows, limit, "requested_at", "id")}

    @router.get(
        "/experiments/{experiment_id}", summary="One experiment with its jobs, arm by arm", responses=refusals(404)
    )
    async def get_experiment(experiment_id: str) -> dict[str, Any]:
        return await view_experiment(parts, await find_experiment(parts, experiment_id))

    @router.post(
        "/experiments/{experiment_id}/cancel",
        status_code=202,
        summary="Stop an experiment",
        responses=refusals(404),
    )
    async def cancel(experiment_id: str, request: Request, reason: str = "") -> dict[str, Any]:
        row = await find_experiment(parts, experiment_id)
        request.state.asker.must_own(row["owner"])
        if row["status"] != "ended":
            now = parts.app.clock.now()
            async with parts.app.transaction() as tx:
                await cancel_experiment(parts.commander, tx, experiment_id, reason, now)
        return await view_experiment(parts, await find_experiment(parts, experiment_id))

    @router.post(
        "/experiments/{experiment_id}/retry",
        status_code=201,
        summary="Ask for an ended experiment again; one that was refused has to be mended first",
        responses=refusals(404, 409, 413),
    )
    async def retry(experiment_id: str, request: Request, response: Response) -> dict[str, Any]:
        row = await find_experiment(parts, experiment_id)
        if row["status"] != "ended" or row["kind"] != "experiment":
            raise Refusal(409, "Not ended", "Only an experiment that has ended is retried; cancel it first.")
        refuse_rejected(row)
        asked = asked_for(request, {**row["document"], "retry_of": experiment_id})
        await store_asked(parts, asked, "experiment")
        response.headers["Location"] = f"/experiments/{asked.identity}"
        return await view_experiment(parts, await find_experiment(parts, asked.identity))

    return router


async def view_experiment(parts: Parts, row: Any) -> dict[str, Any]:
    async with parts.app.database.connection() as connection:
        jobs = await connection.fetch(QUERIES.experiment_jobs, row["id"])
        waiting = any(job["status"] == "ready" for job in jobs)
        waits = waits_of(await parts.admitter.look(connection, parts.app.clock.now())) if waiting else {}
    return experiment_view(row, jobs, waits)


async def _plan_only(parts: Parts, request: Request) -> dict[str, Any]:
    """The plan as it would be, and what of it would be reused; nothing is launched."""
    found = await parts.inspector.inspect(await read_document(request))
    if found.spec is None or found.findings is None:
        raise invalid(found.problems or found.away)
    owner = request.state.owner or found.spec.owner or parts.settings.system_user
    if beyond := over_quota(found.spec, owner, parts.admitter.quotas):
        raise invalid(beyond)
    plan = await parts.planning.plan(
        found.spec,
        found.findings,
        experiment_id=DRY_RUN_ID,
        owner=owner,
        warnings=found.warnings,
    )
    return plan.model_dump(mode="json")

"""Routes of jobs: ask for a single one, list them, look at one, read its log, cancel it, try it again.

Nothing here decides; it stores requests and shows rows.
"""

from __future__ import annotations

from io import BytesIO
from typing import Annotated, Any

from assay_chassis.log_excerpt import excerpt
from assay_chassis.object_store import ObjectNotFound, ObjectTooLarge
from assay_schemas.artifacts import result_prefix
from fastapi import APIRouter, Query, Request, Response

from assay_scheduler.api.asking import ask, store_asked, taken_in
from assay_scheduler.api.bodies import asked_for
from assay_scheduler.api.cursors import next_cursor, read_cursor
from assay_scheduler.api.described import body, refusals
from assay_scheduler.api.refusals import Refusal, not_found
from assay_scheduler.api.views import job_summary, job_view, waits_of
from assay_scheduler.parts import Parts
from assay_scheduler.requested import RequestKind
from assay_scheduler.states import ENDED, JobCancelled
from assay_scheduler.store import QUERIES

LOGS = ("log.txt", "log-live.txt")
ASKED = {**refusals(413), 202: {"description": "Being taken in"}}
Limit = Annotated[int, Query(ge=1, le=200)]


def job_routes(parts: Parts) -> APIRouter:
    router = APIRouter(tags=["jobs"])

    @router.post(
        "/training_job",
        status_code=201,
        summary="Ask for one training run",
        responses=ASKED,
        openapi_extra=body("TrainingJob"),
    )
    async def training_job(request: Request, response: Response) -> dict[str, Any]:
        return await _ask_for_one(parts, request, response, "training_job")

    @router.post(
        "/eval_job", status_code=201, summary="Ask for one eval", responses=ASKED, openapi_extra=body("EvalJob")
    )
    async def eval_job(request: Request, response: Response) -> dict[str, Any]:
        return await _ask_for_one(parts, request, response, "eval_job")

    @router.get("/jobs", summary="Jobs, newest first")
    async def list_jobs(
        status: str | None = None, kind: str | None = None, limit: Limit = 50, cursor: str | None = None
    ) -> dict[str, Any]:
        before, key = read_cursor(cursor)
        async with parts.app.database.connection() as connection:
            rows = await connection.fetch(QUERIES.list_jobs, status, kind, before, key, limit)
            waits = waits_of(await parts.admitter.look(connection, parts.app.clock.now()))
        items = [job_summary(row, waits) for row in rows]
        return {"items": items, "cursor": next_cursor(rows, limit, "created_at", "key")}

    @router.get("/jobs/{key}", summary="One job", responses=refusals(404))
    async def get_job(key: str) -> dict[str, Any]:
        return await _view(parts, key)

    @router.get(
        "/jobs/{key}/logs",
        summary="The log of a job's last attempt, or of the one asked for",
        responses=refusals(404),
    )
    async def logs(key: str, attempt: int | None = None) -> dict[str, Any]:
        job = await _view(parts, key)
        number = attempt or job["attempt"]
        return {"key": key, "attempt": number, "log": await _log(parts, job, number)}

    @router.post("/jobs/{key}/cancel", status_code=202, summary="Stop a job, whoever wants it", responses=refusals(404))
    async def cancel(key: str, request: Request, reason: str = "") -> dict[str, Any]:
        await _must_own_all(parts, request, key)
        async with parts.app.transaction() as tx:
            await parts.commander.apply(tx, JobCancelled(key, parts.app.clock.now(), reason))
        return await _view(parts, key)

    @router.post(
        "/jobs/{key}/retry",
        status_code=202,
        summary="Try an ended job again, with what it depends on",
        responses=refusals(404, 409, 413),
    )
    async def retry(key: str, request: Request) -> dict[str, Any]:
        job = await _view(parts, key)
        if job["status"] == "succeeded" or job["status"] not in ENDED:
            raise Refusal(
                409, "Nothing to retry", f"The job is {job['status']}; only one that did not succeed is retried."
            )
        asked = asked_for(request, {"job_key": key})
        await store_asked(parts, asked, "retry")
        await taken_in(parts, asked.identity)
        return await _view(parts, key)

    return router


async def _ask_for_one(parts: Parts, request: Request, response: Response, kind: RequestKind) -> dict[str, Any]:
    row, taken_in = await ask(parts, request, kind)
    response.status_code = 201 if taken_in else 202
    answer: dict[str, Any] = {"id": row["id"], "status": row["outcome"] or row["status"]}
    async with parts.app.database.connection() as connection:
        wanted = await connection.fetch(QUERIES.experiment_jobs, row["id"])
    for job in wanted:
        answer |= {"job_key": job["key"], "reused": job["reused"], "reason": job["reason"], "status": job["status"]}
        response.headers["Location"] = f"/jobs/{job['key']}"
    return answer


async def _must_own_all(parts: Parts, request: Request, key: str) -> None:
    """A job is shared by all who want it; who stops it stops it for each of them. Raises Refusal 403 and 404."""
    await _view(parts, key)
    async with parts.app.database.connection() as connection:
        wants = await connection.fetch(QUERIES.job_wants, key)
    request.state.asker.must_own(*(want["owner"] for want in wants if want["job_end"] is None))


async def _view(parts: Parts, key: str) -> dict[str, Any]:
    async with parts.app.database.connection() as connection:
        row = await connection.fetchrow(QUERIES.get_job, key)
        if row is None:
            raise not_found("job", key)
        attempts = await connection.fetch(QUERIES.job_attempts, key)
        wants = await connection.fetch(QUERIES.job_wants, key)
        ready = row["status"] == "ready"
        waits = waits_of(await parts.admitter.look(connection, parts.app.clock.now())) if ready else {}
    return job_view(row, attempts, wants, waits)


async def _log(parts: Parts, job: dict[str, Any], attempt: int) -> str:
    """The attempt's log in the object store, of a long one its beginning and end, while it runs its end; else what came
    with its failure."""
    for name in LOGS:
        try:
            key = f"{result_prefix(job['key'], attempt)}/{name}"
            return excerpt(BytesIO(await parts.app.store.get_bytes(key)))
        except ObjectTooLarge as error:
            return f"The log is too large to be shown here: {error}"
        except ObjectNotFound:
            continue
    errors = {one["attempt"]: one["error"] for one in job["attempts"]}
    return str((errors.get(attempt) or {}).get("log", ""))

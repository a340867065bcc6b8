"""Asking for work over HTTP: stores the request as an event would, and waits a little for intake.

A request and the event that says the same have one id, so that it is taken in once.
"""

from __future__ import annotations

import asyncio
from typing import Any

from assay_schemas.canonical import digest_of
from assay_schemas.envelope import Event
from assay_schemas.problems import Problem
from assay_schemas.topics import TOPICS
from fastapi import Request

from assay_scheduler.api.bodies import SOURCE, Asked, read_asked
from assay_scheduler.api.refusals import Refusal, invalid
from assay_scheduler.parts import Parts
from assay_scheduler.requested import RequestKind, store_request
from assay_scheduler.store import QUERIES

POLL_S = 0.2
TOPIC = "experiment.requested"


async def ask(parts: Parts, request: Request, kind: RequestKind) -> tuple[Any, bool]:
    """Stores what a POST asks for and waits: the experiment's row, and whether intake is through with it.

    Raises Refusal 422 with every problem when it was rejected.
    """
    asked = await read_asked(request)
    await store_asked(parts, asked, kind)
    row = await taken_in(parts, asked.identity)
    refuse_rejected(row)
    return row, row["status"] != "requested"


def refuse_rejected(row: Any) -> None:
    """Raises Refusal 422 with every problem of an experiment that intake rejected: they have to be mended."""
    if row["outcome"] == "rejected":
        problems = [Problem.model_validate(problem) for problem in row["problems"]]
        raise invalid(problems, experiment_id=row["id"])


async def store_asked(parts: Parts, asked: Asked, kind: RequestKind) -> None:
    """Raises Refusal 422 when the Idempotency-Key came with another body before."""
    now = parts.app.clock.now()
    async with parts.app.transaction() as tx:
        new = await store_request(
            tx,
            identity=asked.identity,
            kind=kind,
            document=asked.document,
            dataschema="",
            owner=parts.settings.system_user,
            at=now,
        )
        if not new:
            row = await tx.connection.fetchrow(QUERIES.get_experiment, asked.identity)
            _same_body(asked, row["document_digest"])
        elif kind == "experiment":
            await tx.publish(
                Event(
                    id=asked.event_id,
                    source=SOURCE,
                    type=TOPIC,
                    time=now,
                    data=asked.document,
                    key=asked.identity,
                    subject=asked.identity,
                    dataschema=TOPICS[TOPIC].dataschema,
                )
            )


def _same_body(asked: Asked, digest: str) -> None:
    if digest != digest_of(asked.document):
        mend = "Use a new key for a new request."
        raise invalid([Problem(field="Idempotency-Key", message="was used for another body before.", mend=mend)])


async def taken_in(parts: Parts, identity: str) -> Any:
    """The row once intake is through with it, or as it is when the patience of HTTP ends."""
    deadline = asyncio.get_running_loop().time() + parts.settings.intake_wait_s
    with parts.bell.listening() as rung:
        while True:
            row = await find_experiment(parts, identity)
            left = deadline - asyncio.get_running_loop().time()
            if row["status"] != "requested" or left <= 0:
                return row
            await rung.wait(min(POLL_S, left))


async def find_experiment(parts: Parts, identity: str) -> Any:
    """An experiment's row. Raises Refusal 404."""
    async with parts.app.database.connection() as connection:
        row = await connection.fetchrow(QUERIES.get_experiment, identity)
    if row is None:
        raise Refusal(404, "Not found", f"There is no experiment {identity!r} here.")
    return row

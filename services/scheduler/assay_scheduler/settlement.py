"""Ends experiments whose jobs have all ended: writes the result, then says so.

The result lies in the object store before the event that references it is published.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from assay_chassis import tracing
from assay_chassis.app import ServiceApp
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.events import ExperimentCompleted, ExperimentOutcome
from assay_schemas.results import ExperimentResult, JobEnd, Plan

from assay_scheduler.bell import CHANNEL
from assay_scheduler.commander import say
from assay_scheduler.documents import keep_document
from assay_scheduler.outcome import experiment_outcome, single_outcome
from assay_scheduler.states import Message
from assay_scheduler.store import QUERIES

LEASE = timedelta(seconds=60)


class Settlement:
    def __init__(self, app: ServiceApp) -> None:
        self._app = app

    async def settle_one(self) -> bool:
        """Whether there was an experiment to end."""
        now = self._app.clock.now()
        async with self._app.database.connection() as connection:
            row = await connection.fetchrow(QUERIES.claim_settling, now, LEASE)
        if row is None:
            return False
        ends = [JobEnd.model_validate(end) for end in row["ends"]]
        with tracing.span("settle", correlation=row["id"]):
            if row["plan"] is None:
                await self._end(row, single_outcome(ends, cancelled=row["cancelled"]), None, None, now)
            else:
                await self._settle(row, ends, now)
        return True

    async def _settle(self, row: Any, ends: list[JobEnd], now: datetime) -> None:
        plan = Plan.model_validate(row["plan"])
        outcome = experiment_outcome(plan, {end.key: end for end in ends}, cancelled=row["cancelled"])
        result = ExperimentResult(
            experiment_id=row["id"],
            outcome=outcome,
            plan=ArtifactRef.model_validate(row["plan_ref"]),
            ends=ends,
            requested_at=row["requested_at"],
            completed_at=now,
        )
        content = result.model_dump_json(by_alias=True).encode()
        reference = await keep_document(self._app.store, row["id"], "result", content)
        payload = ExperimentCompleted(
            experiment_id=row["id"],
            name=row["name"],
            owner=row["owner"],
            outcome=outcome,
            result=reference,
            jobs=len(ends),
            reused=row["reused_count"],
        )
        await self._end(row, outcome, reference, payload, now)

    async def _end(
        self,
        row: Any,
        outcome: ExperimentOutcome,
        reference: ArtifactRef | None,
        payload: ExperimentCompleted | None,
        now: datetime,
    ) -> None:
        identity = row["id"]
        async with self._app.transaction() as tx:
            result = reference.model_dump() if reference else None
            ended = await tx.connection.fetchval(QUERIES.end_experiment, identity, outcome, result, now)
            if ended and payload is not None:
                await say(tx, [Message("experiment.completed", identity, payload, (identity,), identity)], now)
            tx.notify(CHANNEL)
        if ended:
            tracing.whole(identity, row["kind"], row["requested_at"], now, outcome=outcome)

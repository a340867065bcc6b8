"""Takes requests in, one after the other under a lease: inspect, plan, then accept or reject in one transaction.

Several workers share the queue; one that dies is followed by another when its lease lapses.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from assay_chassis import tracing
from assay_chassis.errors import Transient
from assay_schemas.artifacts import ArtifactRef, CheckpointRef
from assay_schemas.events import CheckpointSelected, ExperimentAccepted, ExperimentRejected
from assay_schemas.problems import Problem
from assay_schemas.results import Plan

from assay_scheduler.bell import REQUEST
from assay_scheduler.commander import say
from assay_scheduler.documents import keep_document
from assay_scheduler.intake.jobs import SingleJob, inspect_eval_job, inspect_training_job
from assay_scheduler.lineage import lineage_of
from assay_scheduler.parts import Parts
from assay_scheduler.planner import control_selection_key, wanted_jobs
from assay_scheduler.quotas import beyond_quota, over_quota
from assay_scheduler.states import Message, Planned, Wanted
from assay_scheduler.store import QUERIES

MOST_TRIES = 5
MOST_TRIES_AWAY = 15  # with pauses of up to a minute: ten minutes
MOST_PROBLEMS = 150
MOST_WARNINGS = 20
POLL_S = 1.0


class Away(Transient):
    """What a request needs is not there now; it is looked for again."""


class TakenByAnother(Exception):
    """The request was taken in meanwhile; what this worker found is not needed."""


@dataclass(frozen=True)
class Claim:
    """A request under this worker's lease."""

    id: str
    kind: str
    owner: str
    document: dict[str, Any]
    dataschema: str
    tries: int
    requested_at: datetime


class IntakeWorker:
    """One worker; another takes its request over when its lease has lapsed."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._app = parts.app
        self._lease = timedelta(seconds=parts.settings.intake_lease_s)

    async def run(self) -> None:
        with self._parts.bell.listening(REQUEST) as rung:
            while True:
                if not await self.take_one():
                    await rung.wait(POLL_S)

    async def take_one(self) -> bool:
        """Whether there was a request to take in."""
        claim = await self._claim()
        if claim is None:
            return False
        try:
            async with self._renewing(claim.id), asyncio.timeout(self._parts.settings.intake_timeout_s):
                with tracing.span("plan", correlation=claim.id, tries=claim.tries):
                    await self._take(claim)
        except TakenByAnother as error:
            self._app.log.info(str(error), experiment_id=claim.id)
        except Away as error:
            self._app.log.warning("intake waits for what is away", experiment_id=claim.id, error=str(error))
            await self._put_off(claim, error)
        except Exception as error:
            self._app.log.exception("intake failed", experiment_id=claim.id, tries=claim.tries)
            await self._put_off(claim, error)
        return True

    async def _put_off(self, claim: Claim, error: Exception) -> None:
        """Tries again after a while, a bounded number of times where it is not known that it passes."""
        if claim.tries < MOST_TRIES or isinstance(error, Transient):
            until = self._app.clock.now() + timedelta(seconds=min(60, 2 ** min(claim.tries, 6)))
            async with self._app.database.connection() as connection:
                await connection.execute(QUERIES.renew_lease, claim.id, until)
            return
        message = f"could not be taken in: {type(error).__name__}: {error}."
        problem = Problem(field="(whole document)", message=message, mend="Look at the scheduler's log.")
        await self._reject(claim, [problem])

    async def _claim(self) -> Claim | None:
        async with self._app.database.connection() as connection:
            row = await connection.fetchrow(QUERIES.claim_intake, self._app.clock.now(), self._lease)
        if row is None:
            return None
        return Claim(
            row["id"], row["kind"], row["owner"], row["document"], row["dataschema"], row["tries"], row["requested_at"]
        )

    @asynccontextmanager
    async def _renewing(self, identity: str) -> AsyncIterator[None]:
        async def renew() -> None:
            while True:
                await self._app.clock.sleep(self._lease.total_seconds() / 3)
                with suppress(Transient):
                    async with self._app.database.connection() as connection:
                        await connection.execute(QUERIES.renew_lease, identity, self._app.clock.now() + self._lease)

        task = asyncio.create_task(renew())
        try:
            yield
        finally:
            task.cancel()

    async def _take(self, claim: Claim) -> None:
        match claim.kind:
            case "training_job":
                await self._take_single(claim, await inspect_training_job(claim.document, self._parts.inspector))
            case "eval_job":
                await self._take_single(claim, await inspect_eval_job(claim.document, self._parts.inspector))
            case "retry":
                async with self._app.database.connection() as connection:
                    wanted = await lineage_of(connection, str(claim.document["job_key"]))
                await self._accept(claim, wanted, None, None)
            case _:
                await self._take_experiment(claim)

    async def _take_experiment(self, claim: Claim) -> None:
        found = await self._parts.inspector.inspect(claim.document, claim.dataschema)
        if found.spec is None or found.findings is None:
            await self._reject(claim, found.problems or _given_up(claim, found.away))
            return
        if beyond := over_quota(found.spec, claim.owner, self._parts.admitter.quotas):
            await self._reject(claim, beyond)
            return
        plan = await self._parts.planning.plan(
            found.spec, found.findings, experiment_id=claim.id, owner=claim.owner, warnings=found.warnings
        )
        reference = await keep_document(self._app.store, claim.id, "plan", plan.model_dump_json().encode())
        await self._accept(claim, wanted_jobs(plan), plan, reference)

    async def _take_single(self, claim: Claim, found: SingleJob) -> None:
        if found.job is None:
            await self._reject(claim, found.problems or _given_up(claim, found.away))
            return
        quotas = self._parts.admitter.quotas
        if beyond := beyond_quota("hardware_config", found.job.hardware, claim.owner, quotas):
            await self._reject(claim, beyond)
            return
        reason = await self._parts.planning.reason(found.job.inputs, claim.id)
        await self._accept(claim, [Wanted(found.job, reason=reason)], None, None)

    async def _accept(
        self, claim: Claim, wanted: Sequence[Wanted], plan: Plan | None, reference: ArtifactRef | None
    ) -> None:
        at = self._app.clock.now()
        async with self._app.transaction() as tx:
            decision = await self._parts.commander.apply(tx, Planned(claim.id, tuple(wanted), at))
            if "planned_before" in decision.notes:
                raise TakenByAnother("taken in by another worker meanwhile")
            wants = [want for want in decision.world.wants.values() if want.experiment_id == claim.id]
            reused = sum(want.reused for want in wants)
            values = (plan.model_dump(mode="json") if plan else None, reference.model_dump() if reference else None)
            await tx.connection.execute(QUERIES.accept_experiment, claim.id, *values, at, len(wanted), reused)
            if plan is not None and reference is not None:
                await say(tx, [_accepted(plan, reference, reused), _control_selected(plan, at)], at)

    async def _reject(self, claim: Claim, problems: Sequence[Problem]) -> None:
        at = self._app.clock.now()
        async with self._app.transaction() as tx:
            listed = sayable(problems)
            values = [problem.model_dump() for problem in listed]
            row = await tx.connection.fetchrow(QUERIES.reject_experiment, claim.id, values, at)
            if row is not None and claim.kind == "experiment":
                payload = ExperimentRejected(
                    experiment_id=claim.id, name=row["name"], owner=row["owner"], problems=listed
                )
                await say(tx, [Message("experiment.rejected", claim.id, payload, (claim.id,), claim.id)], at)
        if row is not None:
            tracing.whole(claim.id, claim.kind, claim.requested_at, at, outcome="rejected")


def _given_up(claim: Claim, away: Sequence[Problem]) -> list[Problem]:
    """Problems to reject a request with, since it has waited long enough for what is away. Raises Away before that."""
    if claim.tries < MOST_TRIES_AWAY:
        raise Away("; ".join(f"{one.field}: {one.message}" for one in away))
    tried = f"It was tried {claim.tries} times."
    return [one.model_copy(update={"message": f"{one.message} {tried}"}) for one in away]


def sayable(problems: Sequence[Problem]) -> list[Problem]:
    """Problems as they fit into an event: a hostile document can have any number of any length."""
    short = [
        Problem(field=_shortened(one.field), message=_shortened(one.message), mend=_shortened(one.mend))
        for one in problems[:MOST_PROBLEMS]
    ]
    if len(problems) > MOST_PROBLEMS:
        more = f"{len(problems) - MOST_PROBLEMS} more problems are not listed."
        short.append(Problem(field="(whole document)", message=more, mend="Mend those listed first."))
    return short


def _shortened(text: str) -> str:
    return text.replace("\x00", "") if len(text) <= 400 else text[:397].replace("\x00", "") + "…"


def _accepted(plan: Plan, reference: ArtifactRef, reused: int) -> Message:
    payload = ExperimentAccepted(
        experiment_id=plan.experiment_id,
        name=plan.spec.name,
        owner=plan.owner,
        question=plan.spec.question,
        plan=reference,
        jobs=len(plan.jobs),
        reused=reused,
        warnings=[_shortened(warning) for warning in plan.warnings[:MOST_WARNINGS]],
    )
    return Message("experiment.accepted", plan.experiment_id, payload, (plan.experiment_id,), plan.experiment_id)


def _control_selected(plan: Plan, at: datetime) -> Message:
    """Control has no training to select from: the base model stands for it, at step 0.

    Every experiment says so for itself, at its own time: the event's id is of this experiment."""
    key = control_selection_key(plan.model)
    checkpoint = CheckpointRef(uri=plan.model.uri, digest=plan.model.digest, step=0)
    payload = CheckpointSelected(job_key=key, attempt=1, outcome="succeeded", completed_at=at, checkpoint=checkpoint)
    return Message("checkpoint.selected", key, payload, (key, 1, plan.experiment_id), plan.experiment_id)

"""Planted bugs of the scheduler's rules: attempts, cancels, admission, job keys, locks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from assay_chassis import database
from assay_chassis.job_service import service
from assay_chassis.object_store import ObjectStore
from assay_chassis.outbox import Transaction
from assay_scheduler import handlers, lifecycle, planner, settlement
from assay_scheduler.admission import Admitter
from assay_scheduler.commander import say
from assay_scheduler.intake import worker
from assay_scheduler.lifecycle import _Turn
from assay_scheduler.policy import Admission
from assay_scheduler.progress import ProgressReader
from assay_scheduler.reconciler import Reconciler
from assay_scheduler.settlement import Settlement
from assay_scheduler.states import Admitted, Completed, Experiment, Job, LeaseLapsed, Message, Planned
from assay_scheduler.store import QUERIES, WorldStore, job_of
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.events import ExperimentCompleted, ExperimentOutcome
from assay_schemas.jobs import TrainingInputs

from simulation.database import reporter_statements, scheduler_statements, world_statements
from simulation.database.server import Row
from simulation.loop import clock_off_s
from simulation.planted.bug import bug

_job_key: Callable[[Any], str] = vars(planner)["job_key"]
_cancel = handlers.cancel_experiment


def _key_without_seed(inputs: Any) -> str:
    return _job_key(inputs.model_copy(update={"seed": 0}) if isinstance(inputs, TrainingInputs) else inputs)


def _without_limit(schema: str, pause_s: float | None) -> dict[str, str]:  # noqa: ARG001
    return _session(schema, None)


_session: Callable[[str, float | None], dict[str, str]] = vars(database)["_session"]


async def _only_known_ones(commander: Any, tx: Transaction, identity: str, *rest: Any) -> bool:
    if await tx.connection.fetchrow(QUERIES.get_experiment, identity) is None:
        return False
    return await _cancel(commander, tx, identity, *rest)


def _let_it_run(self: _Turn, key: str, at: datetime, reason: str) -> None:  # noqa: ARG001
    job = self._jobs[key]
    if job.status in ("waiting", "ready"):
        self._jobs[key] = replace(job, status="cancelled", not_before=None, ended_at=at)
    elif job.status in ("requested", "running"):
        self._jobs[key] = replace(job, status="cancelling")


def _whichever_attempt(self: _Turn, happening: Completed) -> None:
    _completed(self, replace(happening, attempt=self._job(happening.job_key).attempt))


_completed = _Turn.completed


async def _without_lock(self: Admitter, tx: Transaction, now: datetime) -> Admission:
    admission = await self.look(tx.connection, now)
    if admission.admitted:
        await self.commander.admit(tx, admission, now)
    return admission


async def _say_it_again(
    self: Settlement,
    row: Any,
    outcome: ExperimentOutcome,
    reference: ArtifactRef | None,
    payload: ExperimentCompleted | None,
    now: datetime,
) -> None:
    identity = row["id"]
    async with self._app.transaction() as tx:
        result = reference.model_dump() if reference else None
        await tx.connection.fetchval(QUERIES.end_experiment, identity, outcome, result, now)
        if payload is not None:
            await say(tx, [Message("experiment.completed", identity, payload, (identity,), identity)], now)


async def _judged_when_locked(self: Reconciler) -> int:
    """As soon as the locks are had, whoever else has waited for them."""
    async with self._app.database.connection() as connection:
        silent = await connection.fetch(QUERIES.silent_jobs, self._lease, self._start_lease)
    for row in silent:
        async with self._app.transaction() as tx:
            lapsed = LeaseLapsed(row["key"], row["attempt"], row["now"], self._lease, self._start_lease)
            await self._commander.apply(tx, lapsed)
    return len(silent)


async def _read_only(self: WorldStore, query: str, keys: list[str]) -> list[Job]:
    if query == QUERIES.lock_family:
        keys = sorted(await self._keys(QUERIES.family_of, keys))
    return [job_of(row) for row in await self._connection.fetch(QUERIES.read_jobs, keys)]


async def _one_look(self: WorldStore, world: Any, _find: Any, _ids: Any) -> Any:  # noqa: ARG001
    return world


def _without_children(self: _Turn, _key: str) -> list[str]:  # noqa: ARG001
    return []


def _whatever_it_needs(self: _Turn, happening: Admitted) -> None:
    _admitted(self, replace(happening, need=None))


_admitted = _Turn.admitted


def _first_by_name(job: Job, wanting: Iterable[Experiment]) -> str:
    ranked = sorted(wanting, key=lambda one: (one.priority != job.priority, one.id))
    return ranked[0].owner if ranked else ""


def _whoever_pays(self: _Turn, happening: Admitted) -> None:
    _admitted(self, replace(happening, owner=None))


def _from_the_first(template: Job, _existing: Job | None) -> Job:
    return replace(template, status="waiting", attempt=0)


def _planned_in_silence(self: _Turn, happening: Planned) -> None:
    _planned(self, happening)
    self._notes.clear()


_planned = _Turn.planned


def _newest_only(row: Row, attempt: int, sequence: int) -> bool:
    return bool((row["progress_attempt"], row["progress_sequence"]) <= (attempt, sequence))


def _as_it_came(new: Row, known: Row) -> bool:
    later = (known["attempt"], known["sequence"]) < (new["attempt"], new["sequence"])
    return bool(later and known["state"] != "succeeded")


async def _by_plain_name(store: ObjectStore, experiment_id: str, name: str, content: bytes) -> ArtifactRef:
    return await store.put_bytes(f"experiments/{experiment_id}/{name}.json", content)


BUGS = (
    bug(
        "wrong job key",
        "the seed is not part of a training's key",
        (planner, "job_key", _key_without_seed),
        (service, "job_key", _key_without_seed),
    ),
    bug(
        "lost cancel",
        "a cancel that comes before its request is forgotten",
        (handlers, "cancel_experiment", _only_known_ones),
    ),
    bug(
        "cancel without a word",
        "a job that nobody wants any more is not told to stop",
        (_Turn, "_release", _let_it_run),
    ),
    bug(
        "any attempt's failure counts",
        "the failure of an earlier attempt ends the present one",
        (_Turn, "completed", _whichever_attempt),
    ),
    bug(
        "attempts numbered anew",
        "a job that is asked for again begins with attempt 1",
        (lifecycle, "_fresh", _from_the_first),
    ),
    bug("admission without lock", "two schedulers admit into the same capacity", (Admitter, "run", _without_lock)),
    bug(
        "room for an older need",
        "a job that was planned anew with another need is admitted by what it needed before",
        (_Turn, "admitted", _whatever_it_needs),
    ),
    bug(
        "another's quota",
        "an attempt counts as another owner's than the one whose quota had room for it",
        (lifecycle, "payer", _first_by_name),
        (_Turn, "admitted", _whoever_pays),
    ),
    bug(
        "settled twice", "an experiment that another replica ended is ended again", (Settlement, "_end", _say_it_again)
    ),
    bug("no row locks", "jobs are read without being locked", (WorldStore, "_lock", _read_only)),
    bug("one look", "what was added while a lock was waited for is not seen", (WorldStore, "_settled", _one_look)),
    bug(
        "children forgotten", "what depends on a job hears nothing of its end", (_Turn, "_children", _without_children)
    ),
    bug(
        "accepted twice",
        "an experiment that another worker has taken in is accepted again",
        (_Turn, "planned", _planned_in_silence),
    ),
    bug(
        "documents written over",
        "a replica that was overtaken writes its own plan over the one referred to",
        (worker, "keep_document", _by_plain_name),
        (settlement, "keep_document", _by_plain_name),
    ),
    bug(
        "lease without margin",
        "silence counts also while the scheduler is behind in listening",
        (Reconciler, "hears", lambda _self: True),
    ),
    bug(
        "read is not written",
        "silence counts also while signs of life that were read wait to be written, for locks that nobody takes away, "
        "however long who judges waited for them or stood still",
        (ProgressReader, "unwritten_s", lambda _self: 0.0),
        (database, "_session", _without_limit),
        (Reconciler, "_notice_standstill", lambda _self, _asleep_since: None),
        (Reconciler, "expire_leases", _judged_when_locked),
    ),
    bug(
        "lapse not looked at again",
        "an attempt loses its lease although it was heard of before its row was held",
        (lifecycle, "_is_silent", lambda _job, _lapsed: True),
    ),
    bug(
        "leases by each machine's clock",
        "signs of life and silence are judged by the clock of whichever scheduler looks",
        (world_statements, "time_of", lambda tx: tx.server.now() + timedelta(seconds=clock_off_s())),
    ),
    bug(
        "signs of life by number",
        "progress counts as a sign of life only where its sequence, the worker's time, has grown",
        (world_statements, "lives_by", _newest_only),
    ),
    bug(
        "news by arrival",
        "the reporter keeps what it heard first of a job that succeeded",
        (reporter_statements, "outranks", _as_it_came),
    ),
    bug(
        "intake renews what it does not hold",
        "a late worker sets its lease on an experiment that was accepted",
        (scheduler_statements, "is_in_intake", lambda _row: True),
    ),
)

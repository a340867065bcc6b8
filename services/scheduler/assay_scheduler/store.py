"""Worlds in PostgreSQL: loads the slice that a happening can touch, locked, and saves what a decision changed.

Rows are locked in one order, jobs by key first, then experiments by id. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from assay_chassis.queries import Queries
from pydantic import TypeAdapter

from assay_scheduler import lifecycle
from assay_scheduler.policy import Resources, need_of, policy_of
from assay_scheduler.states import HOLDING, Experiment, Job, Planned, Want, World

QUERIES = Queries.load("assay_scheduler")
Row = dict[str, Any]
_JOB: TypeAdapter[Job] = TypeAdapter(Job)
_COLUMNS = (
    "kind",
    "status",
    "priority",
    "attempt",
    "not_before",
    "ready_at",
    "requested_at",
    "heartbeat_at",
    "ended_at",
)


def job_of(row: Any) -> Job:
    """A job from its row: the columns win over the body."""
    job = _JOB.validate_python(row["body"])
    return replace(job, **{name: row[name] for name in _COLUMNS})


def body_of(job: Job) -> Any:
    return _JOB.dump_python(job, mode="json")


class WorldStore:
    """Slices of the world, within the caller's transaction. `capacity` is what shares of use are measured by."""

    def __init__(self, connection: Any, capacity: Resources) -> None:
        self._connection = connection
        self._capacity = capacity
        self._positions: dict[tuple[str, str], int] = {}

    async def add_planned(self, planned: Planned) -> World:
        """The slice for a plan. Jobs that are new are added first, so that two plans cannot add one job twice."""
        jobs = [wanted.job for wanted in planned.jobs]
        keys = [job.key for job in jobs]
        links = [(job.key, parent) for job in jobs for parent in job.depends_on]
        columns = keys, [body_of(job) for job in jobs], [link[0] for link in links], [link[1] for link in links]
        added = {row["key"] for row in await self._connection.fetch(QUERIES.add_jobs, *columns)}
        world = await self._around(await self._lock(QUERIES.lock_jobs, keys), [planned.experiment_id])
        self._positions = {(planned.experiment_id, key): place for place, key in enumerate(keys)}
        return replace(world, jobs={key: job for key, job in world.jobs.items() if key not in added})

    async def families(self, keys: list[str]) -> World:
        """The slice around jobs: what they depend on, what depends on them, and who wants any of these."""
        world = await self._around(await self._lock(QUERIES.lock_family, keys), [])
        return await self._settled(world, lambda: self._keys(QUERIES.family_of, keys), [])

    async def of_experiment(self, experiment_id: str) -> World:
        """The slice around an experiment: the jobs it wants, and who else wants them."""
        find = partial(self._keys, QUERIES.wanted_keys, experiment_id)
        world = await self._around(await self._lock(QUERIES.lock_jobs, sorted(await find())), [experiment_id])
        return await self._settled(world, find, [experiment_id])

    async def jobs(self, keys: list[str]) -> World:
        """These jobs alone, and who wants them: for what concerns no other job."""
        return await self._around(await self._lock(QUERIES.lock_jobs, keys), [])

    async def _settled(self, world: World, find: Callable[[], Awaitable[set[str]]], experiment_ids: list[str]) -> World:
        """Looks again once the locks are held: what was added in between is part of the slice too."""
        while not (found := await find()) <= world.jobs.keys():
            keys = sorted(found | world.jobs.keys())
            world = await self._around(await self._lock(QUERIES.lock_jobs, keys), experiment_ids)
        return world

    async def _keys(self, query: str, argument: Any) -> set[str]:
        return {row[0] for row in await self._connection.fetch(query, argument)}

    async def _around(self, jobs: list[Job], experiment_ids: list[str]) -> World:
        """Locked jobs with the experiments that want them, and these others."""
        keys = [job.key for job in jobs]
        experiments = await self._connection.fetch(QUERIES.lock_experiments, experiment_ids, keys)
        # Asked for after the locks, so that it tells of all that is committed.
        wants = await self._connection.fetch(QUERIES.open_wants, keys)
        open_ = {row["experiment_id"]: row["open"] for row in wants}
        return World(
            {job.key: job for job in jobs},
            {row["id"]: Experiment(**row, open=open_.get(row["id"], 0)) for row in experiments},
            {(row["experiment_id"], row["job_key"]): _want_of(row) for row in wants},
        )

    async def _lock(self, query: str, keys: list[str]) -> list[Job]:
        return [job_of(row) for row in await self._connection.fetch(query, keys)]

    async def save(self, before: World, after: World) -> None:
        """Writes what differs, in one statement."""
        jobs = [job for key, job in after.jobs.items() if before.jobs.get(key) != job]
        wants = [want for key, want in after.wants.items() if before.wants.get(key) != want]
        moved = [
            {"id": one.id, "status": one.status, "cancelled": one.cancelled}
            for one in after.experiments.values()
            if _stored(before.experiments.get(one.id)) != _stored(one)
        ]
        if jobs or wants or moved:
            rows = [_job_row(job) for job in jobs], [self._want_row(want) for want in wants], moved
            await self._connection.execute(QUERIES.save_world, *rows, *self._attempts(before, after, jobs))

    def _attempts(self, before: World, after: World, changed: list[Job]) -> tuple[list[Row], list[Row]]:
        """Rows of attempts that have ended, and of those that begin."""
        ended: list[Row] = []
        begun: list[Row] = []
        for job in changed:
            earlier = before.jobs.get(job.key)
            if earlier and earlier.status in HOLDING and (job.status not in HOLDING or job.attempt != earlier.attempt):
                when = job.ended_at or job.ready_at
                error = job.error.model_dump(mode="json", by_alias=True) if job.error else None
                end = {"ended_at": when, "outcome": _attempt_outcome(earlier, job), "error": error}
                ended.append({"job_key": job.key, "attempt": earlier.attempt, **end})
            if job.status in HOLDING and job.attempt != (earlier.attempt if earlier else 0):
                policy = policy_of(job.inputs)
                share = need_of(job.kind, job.hardware, policy).share_of(self._capacity)
                need = {"kind": job.kind, "hardware": job.hardware.model_dump(mode="json"), "policy": policy}
                wanting = [
                    after.experiments[want.experiment_id] for want in after.wants.values() if want.job_key == job.key
                ]
                use = {"owner": lifecycle.payer(job, wanting), "share": share, "need": need}
                begun.append({"job_key": job.key, "attempt": job.attempt, "requested_at": job.requested_at, **use})
        return ended, begun

    def _want_row(self, want: Want) -> Row:
        return {
            "experiment_id": want.experiment_id,
            "job_key": want.job_key,
            "position": self._positions.get((want.experiment_id, want.job_key), 0),
            "arm": want.arm,
            "reused": want.reused,
            "reason": want.reason,
            "job_end": want.end.model_dump(mode="json", by_alias=True) if want.end else None,
        }


def _stored(experiment: Experiment | None) -> tuple[Any, ...] | None:
    """What of an experiment is in its row; how many wants are open is counted."""
    return (experiment.status, experiment.cancelled) if experiment else None


def _want_of(row: Any) -> Want:
    return Want(row["experiment_id"], row["job_key"], row["arm"], row["reused"], row["reason"])


def _job_row(job: Job) -> Row:
    return {"key": job.key, **{name: getattr(job, name) for name in _COLUMNS[1:]}, "body": body_of(job)}


def _attempt_outcome(earlier: Job, job: Job) -> str:
    """How the attempt of the earlier row ended; one that was being stopped when the job was asked for again counts as
    stopped."""
    if job.status in ("succeeded", "failed", "cancelled"):
        return job.status
    if earlier.status == "cancelling":
        return "cancelled"
    return "lost" if job.error is not None and job.error.class_ == "lost" else "failed"

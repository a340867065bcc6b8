"""The scheduler's statements about jobs and who wants them, each as a function of a transaction.

Says what `assay_scheduler/queries.sql` says, and no more; a test compares the two on real PostgreSQL.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from assay_scheduler.store import QUERIES

from simulation.database.server import Row, Statement, Transaction, as_json, as_time

_OF_JOB = (
    "key", "kind", "status", "priority", "attempt", "not_before", "ready_at", "requested_at", "heartbeat_at",
    "ended_at", "body",
)  # fmt: skip
_TIMES = ("not_before", "ready_at", "requested_at", "heartbeat_at", "ended_at")
_HOLDING = ("requested", "running", "cancelling")


async def add_jobs(
    tx: Transaction, keys: list[str], bodies: list[Any], children: list[str], parents: list[str]
) -> list[Row]:
    added: list[Row] = []
    for key, body in sorted(zip(keys, bodies, strict=True), key=lambda pair: pair[0]):
        if await tx.insert("jobs", key, _new_job(key, as_json(body), tx.began_at)):
            added.append({"key": key})
    for link in sorted(zip(children, parents, strict=True)):
        if await tx.insert("dependencies", link, {"job_key": link[0], "needs": link[1]}):
            for key in link:
                await tx.lock("jobs", key, "key share")
    return added


def _new_job(key: str, body: Any, at: datetime) -> Row:
    return {
        "key": key,
        "kind": body["kind"],
        "status": "waiting",
        "priority": "MED",
        "attempt": 0,
        **dict.fromkeys(_TIMES),
        "body": body,
        "progress": None,
        "progress_attempt": 0,
        "progress_sequence": -1,
        "created_at": at,
    }


def _family(tx: Transaction, keys: list[str]) -> set[str]:
    links = [row for _, row in tx.rows("dependencies")]
    below, fresh = set(keys), set(keys)
    while fresh:
        fresh = {link["job_key"] for link in links if link["needs"] in fresh} - below
        below |= fresh
    return {key for key in below if tx.get("jobs", key)} | {link["needs"] for link in links if link["job_key"] in below}


async def family_of(tx: Transaction, keys: list[str]) -> list[Row]:
    return [{"key": key} for key in sorted(_family(tx, keys))]


async def lock_family(tx: Transaction, keys: list[str]) -> list[Row]:
    return await _locked(tx, _family(tx, keys))


async def lock_jobs(tx: Transaction, keys: list[str]) -> list[Row]:
    return await _locked(tx, {key for key in keys if tx.get("jobs", key)})


async def lock_standings(tx: Transaction, keys: list[str]) -> list[Row]:
    return [{name: row[name] for name in ("key", "status", "attempt")} for row in await lock_jobs(tx, keys)]


async def _locked(tx: Transaction, keys: set[str]) -> list[Row]:
    locked = [await tx.lock("jobs", key) for key in sorted(keys)]
    return [_job(row) for row in locked if row is not None]


async def read_jobs(tx: Transaction, keys: list[str]) -> list[Row]:
    found = [tx.get("jobs", key) for key in sorted(set(keys))]
    return [_job(row) for row in found if row is not None]


def _job(row: Row) -> Row:
    return {name: row[name] for name in _OF_JOB}


async def open_wants(tx: Transaction, keys: list[str]) -> list[Row]:
    open_ = [row for _, row in tx.rows("wants") if row["job_end"] is None]
    counted: dict[str, int] = {}
    for row in open_:
        counted[row["experiment_id"]] = counted.get(row["experiment_id"], 0) + 1
    columns = ("experiment_id", "job_key", "position", "arm", "reused", "reason")
    wanted = [row for row in open_ if row["job_key"] in keys]
    return [{**{name: row[name] for name in columns}, "open": counted[row["experiment_id"]]} for row in wanted]


async def wanted_keys(tx: Transaction, identity: str) -> list[Row]:
    return [{"job_key": row["job_key"]} for _, row in tx.rows("wants") if row["experiment_id"] == identity]


async def lock_experiments(tx: Transaction, identities: list[str], keys: list[str]) -> list[Row]:
    wanting = {row["experiment_id"] for _, row in tx.rows("wants") if row["job_key"] in keys and row["job_end"] is None}
    there = [one for one in sorted({*identities, *wanting}) if tx.get("experiments", one)]
    locked = [await tx.lock("experiments", one) for one in there]
    columns = ("id", "owner", "priority", "status", "cancelled", "requested_at")
    return [{name: row[name] for name in columns} for row in locked if row is not None]


async def save_world(tx: Transaction, jobs: Any, wants: Any, experiments: Any, ended: Any, begun: Any) -> list[Row]:
    for new in as_json(jobs):
        change = {name: new[name] for name in ("status", "priority", "attempt", "body")}
        change |= {name: as_time(new[name]) for name in _TIMES}
        await tx.update("jobs", new["key"], lambda row, change=change: {**row, **change})  # type: ignore[misc]
    for want in as_json(wants):
        await _save_want(tx, want)
    for moved in as_json(experiments):
        change = {name: moved[name] for name in ("status", "cancelled")}
        await tx.update("experiments", moved["id"], lambda row, change=change: {**row, **change})  # type: ignore[misc]
    for end in as_json(ended):
        change = {"ended_at": as_time(end["ended_at"]), "outcome": end["outcome"], "error": end["error"]}
        key = (end["job_key"], end["attempt"])
        await tx.update(
            "attempts",
            key,
            lambda row, change=change: {**row, **change} if row["ended_at"] is None else None,  # type: ignore[misc]
        )
    for new in as_json(begun):
        row = {**new, "requested_at": as_time(new["requested_at"]), "ended_at": None, "outcome": None, "error": None}
        await tx.insert("attempts", (new["job_key"], new["attempt"]), row)
        await tx.lock("jobs", new["job_key"], "key share")
    return []


async def _save_want(tx: Transaction, want: Row) -> None:
    key = (want["experiment_id"], want["job_key"])
    if await tx.insert("wants", key, want):
        await tx.lock("experiments", key[0], "key share")
        await tx.lock("jobs", key[1], "key share")
        return
    change = {name: want[name] for name in ("reused", "reason", "job_end")}
    await tx.update("wants", key, lambda row: {**row, **change})


async def recent_jobs(tx: Transaction, kinds: list[str], identity: str, limit: int) -> list[Row]:
    experiments = dict(tx.rows("experiments"))
    found: list[Row] = []
    for kind in kinds:
        rows = []
        for key, job in tx.rows("jobs"):
            wants = [w for _, w in tx.rows("wants") if w["job_key"] == key and w["experiment_id"] != identity]
            wants.sort(key=lambda want: experiments[want["experiment_id"]]["requested_at"])
            if job["kind"] == kind and wants:
                first = experiments[wants[0]["experiment_id"]]
                named = {"arm": wants[0]["arm"], "name": first["name"], "id": first["id"]}
                rows.append((job, {"key": key, "kind": kind, "inputs": job["body"]["inputs"], **named}))
        rows.sort(key=lambda pair: (-pair[0]["created_at"].timestamp(), pair[0]["key"]))
        found += [row for _, row in rows[:limit]]
    return found


async def ready_jobs(tx: Transaction, now: datetime) -> list[Row]:
    experiments, found = dict(tx.rows("experiments")), []
    for key, job in tx.rows("jobs"):
        if job["status"] != "ready" or (job["not_before"] is not None and job["not_before"] > now):
            continue
        wanting = [
            experiments[want["experiment_id"]]
            for _, want in tx.rows("wants")
            if want["job_key"] == key and want["job_end"] is None
        ]
        if wanting:
            first = min(wanting, key=lambda one: (one["priority"] != job["priority"], one["requested_at"], one["id"]))
            columns = {name: job[name] for name in ("key", "kind", "ready_at", "priority")}
            owner = {"owner": first["owner"], "since": first["requested_at"]}
            found.append({**columns, **_needs(job), **owner})
    return found


async def held_resources(tx: Transaction) -> list[Row]:
    groups: dict[str, Row] = {}
    for _, attempt in tx.rows("attempts"):
        if attempt["ended_at"] is None:
            holds = {**attempt["need"], "owner": attempt["owner"]}
            groups.setdefault(str(holds), {**holds, "jobs": 0})["jobs"] += 1
    return list(groups.values())


def _needs(job: Row) -> Row:
    return {"hardware": job["body"]["hardware"], "policy": job["body"]["inputs"].get("policy")}


async def recent_usage(tx: Transaction, now: datetime, since: datetime) -> list[Row]:
    used: dict[str, float] = {}
    for _, row in tx.rows("attempts"):
        end = row["ended_at"] or now
        if end > since and row["share"] > 0:
            seconds = (end - max(row["requested_at"], since)).total_seconds()
            used[row["owner"]] = used.get(row["owner"], 0.0) + row["share"] * seconds
    return [{"owner": owner, "used": total} for owner, total in used.items()]


def time_of(tx: Transaction) -> datetime:
    """`clock_timestamp()`: the database's clock."""
    return tx.server.now()


def lives_by(_row: Row, _attempt: int, _sequence: int) -> bool:
    """Whether word of the present attempt is a sign of life: any is."""
    return True


async def note_progress(
    tx: Transaction, keys: list[str], attempts: list[int], sequences: list[int], progress: list[Any]
) -> list[Row]:
    for key, attempt, sequence, news in zip(keys, attempts, sequences, progress, strict=True):

        def heard(row: Row, attempt: int = attempt, sequence: int = sequence, news: Any = news) -> Row | None:
            newest = (row["progress_attempt"], row["progress_sequence"]) <= (attempt, sequence)
            if row["attempt"] != attempt or row["status"] not in _HOLDING or not lives_by(row, attempt, sequence):
                return None
            status = "running" if row["status"] == "requested" else row["status"]
            said = {"progress": as_json(news), "progress_attempt": attempt, "progress_sequence": sequence}
            return {**row, **(said if newest else {}), "heartbeat_at": time_of(tx), "status": status}

        await tx.update("jobs", key, heard)
    return []


async def silent_jobs(tx: Transaction, lease: timedelta, start_lease: timedelta) -> list[Row]:
    now = time_of(tx)

    def silent(row: Row) -> bool:
        match row["status"]:
            case "running":
                return bool(row["heartbeat_at"] and row["heartbeat_at"] < now - lease)
            case "cancelling":
                return bool((row["heartbeat_at"] or row["requested_at"]) < now - lease)
            case "requested":
                return bool(row["requested_at"] < now - start_lease)
        return False

    found = sorted((row["key"], row["attempt"]) for _, row in tx.rows("jobs") if silent(row))
    return [{"key": key, "attempt": attempt, "now": now} for key, attempt in found[:100]]


async def time_of_day(tx: Transaction) -> list[Row]:
    return [{"clock_timestamp": time_of(tx)}]


STATEMENTS: dict[str, Statement] = {
    QUERIES.add_jobs: add_jobs,
    QUERIES.family_of: family_of,
    QUERIES.lock_family: lock_family,
    QUERIES.lock_jobs: lock_jobs,
    QUERIES.lock_standings: lock_standings,
    QUERIES.read_jobs: read_jobs,
    QUERIES.open_wants: open_wants,
    QUERIES.wanted_keys: wanted_keys,
    QUERIES.lock_experiments: lock_experiments,
    QUERIES.save_world: save_world,
    QUERIES.recent_jobs: recent_jobs,
    QUERIES.ready_jobs: ready_jobs,
    QUERIES.held_resources: held_resources,
    QUERIES.recent_usage: recent_usage,
    QUERIES.note_progress: note_progress,
    QUERIES.silent_jobs: silent_jobs,
    QUERIES.time_of_day: time_of_day,
}

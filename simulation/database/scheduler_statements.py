"""The scheduler's statements about experiments, admission and time, each as a function of a transaction.

Says what `assay_scheduler/queries.sql` says, and no more; a test compares the two on real PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from assay_scheduler.store import QUERIES

from simulation.database import world_statements as world
from simulation.database.server import Row, Statement, Transaction, as_json

TABLES: dict[str, dict[Any, Row]] = {
    "experiments": {},
    "jobs": {},
    "dependencies": {},
    "wants": {},
    "attempts": {},
    "admissions": {True: {"only_row": True, "turn": 0}},
    "findings": {},
}
BLANK: Row = {
    "kind": "experiment", "name": "", "owner": "", "priority": "MED", "status": "requested", "outcome": None,
    "cancelled": False, "cancel_reason": "", "document": None, "document_digest": "", "dataschema": "", "problems": [],
    "plan": None, "plan_ref": None, "result_ref": None, "job_count": 0, "reused_count": 0, "lease_until": None,
    "tries": 0, "requested_at": None, "accepted_at": None, "ended_at": None,
}  # fmt: skip


async def add_experiment(
    tx: Transaction,
    identity: str,
    kind: str,
    name: str,
    owner: str,
    priority: str,
    document: Any,
    digest: str,
    dataschema: str,
    at: datetime,
) -> list[Row]:
    given = {
        "kind": kind,
        "name": name,
        "owner": owner,
        "priority": priority,
        "document": as_json(document),
        "document_digest": digest,
        "dataschema": dataschema,
        "requested_at": at,
    }
    if await tx.insert("experiments", identity, {"id": identity, **BLANK, **given}):
        return [{"id": identity}]
    changed = await tx.update(
        "experiments", identity, lambda row: {**row, **given} if row["document"] is None else None
    )
    return [{"id": identity}] if changed else []


async def remember_cancel(tx: Transaction, identity: str, reason: str, at: datetime) -> list[Row]:
    row = {"id": identity, **BLANK, "cancelled": True, "cancel_reason": reason, "requested_at": at}
    return [{"id": identity}] if await tx.insert("experiments", identity, row) else []


async def forget_cancels(tx: Transaction, before: datetime) -> list[Row]:
    for _, row in list(tx.rows("experiments")):
        old = row["status"] == "requested" and row["document"] is None and row["requested_at"] < before
        if old and not tx.is_locked("experiments", row["id"]):
            tx.delete("experiments", row["id"])
    return []


async def _claim(tx: Transaction, wanted: Callable[[Row], bool], change: Row, counted: bool) -> Row | None:
    """The oldest row that is wanted, of those nobody else holds."""
    found = sorted((row for _, row in tx.rows("experiments") if wanted(row)), key=lambda row: row["requested_at"])
    for row in found:
        if not tx.is_locked("experiments", row["id"]):
            now = await tx.lock("experiments", row["id"])
            if now is not None and wanted(now):
                claimed = {**now, **change, "tries": now["tries"] + counted}
                tx.put("experiments", row["id"], claimed)
                return claimed
    return None


def _free(row: Row, now: datetime) -> bool:
    return row["lease_until"] is None or row["lease_until"] < now


async def claim_intake(tx: Transaction, now: datetime, lease: timedelta) -> list[Row]:
    def wanted(row: Row) -> bool:
        return row["status"] == "requested" and row["document"] is not None and _free(row, now)

    row = await _claim(tx, wanted, {"lease_until": now + lease}, counted=True)
    return [_only(row, "id kind owner document dataschema tries requested_at")] if row else []


def is_in_intake(row: Row) -> bool:
    return bool(row["status"] == "requested")


async def renew_lease(tx: Transaction, identity: str, until: datetime) -> list[Row]:
    await tx.update("experiments", identity, lambda row: {**row, "lease_until": until} if is_in_intake(row) else None)
    return []


async def reject_experiment(tx: Transaction, identity: str, problems: Any, at: datetime) -> list[Row]:
    change = {"status": "ended", "outcome": "rejected", "problems": as_json(problems), "ended_at": at}
    change["lease_until"] = None
    row = await tx.update(
        "experiments", identity, lambda row: {**row, **change} if row["status"] == "requested" else None
    )
    return [_only(row, "name owner kind")] if row else []


async def accept_experiment(
    tx: Transaction, identity: str, plan: Any, reference: Any, at: datetime, jobs: int, reused: int
) -> list[Row]:
    change = {
        "plan": as_json(plan),
        "plan_ref": as_json(reference),
        "accepted_at": at,
        "job_count": jobs,
        "reused_count": reused,
        "lease_until": None,
    }
    await tx.update("experiments", identity, lambda row: {**row, **change})
    return []


async def claim_settling(tx: Transaction, now: datetime, lease: timedelta) -> list[Row]:
    def wanted(row: Row) -> bool:
        return row["status"] == "settling" and _free(row, now)

    row = await _claim(tx, wanted, {"lease_until": now + lease}, counted=False)
    if row is None:
        return []
    ended = [want for _, want in tx.rows("wants") if want["experiment_id"] == row["id"] and want["job_end"] is not None]
    ends = [want["job_end"] for want in sorted(ended, key=lambda want: want["position"])]
    columns = "id kind name owner cancelled plan plan_ref job_count reused_count requested_at"
    return [{**_only(row, columns), "ends": ends}]


async def end_experiment(tx: Transaction, identity: str, outcome: str, result: Any, at: datetime) -> list[Row]:
    change = {"status": "ended", "outcome": outcome, "result_ref": as_json(result), "ended_at": at, "lease_until": None}
    row = await tx.update(
        "experiments", identity, lambda row: {**row, **change} if row["status"] == "settling" else None
    )
    return [{"id": identity}] if row else []


async def set_cancel_reason(tx: Transaction, identity: str, reason: str) -> list[Row]:
    await tx.update(
        "experiments", identity, lambda row: {**row, "cancel_reason": reason} if row["cancel_reason"] == "" else None
    )
    return []


async def get_experiment(tx: Transaction, identity: str) -> list[Row]:
    row = tx.get("experiments", identity)
    return [] if row is None else [{name: value for name, value in row.items() if name not in ("lease_until", "tries")}]


async def admission_lock(tx: Transaction) -> list[Row]:
    await tx.server.locks.take(tx, "assay_scheduler_admission")
    return [{"pg_advisory_xact_lock": ""}]


async def take_turn(tx: Transaction) -> list[Row]:
    tx.admits = True
    row = tx.get("admissions", True)
    return [{"turn": row["turn"]}] if row else []


async def keep_turn(tx: Transaction, turn: int) -> list[Row]:
    await tx.update("admissions", True, lambda row: {**row, "turn": turn})
    return []


async def what_is_due(tx: Transaction, now: datetime) -> list[Row]:
    ready = [row["not_before"] for _, row in tx.rows("jobs") if row["status"] == "ready"]
    later = [time for time in ready if time is not None and time > now]
    settling = any(row["status"] == "settling" and _free(row, now) for _, row in tx.rows("experiments"))
    due = any(time is None or time <= now for time in ready)
    return [{"ready": due, "settling": settling, "next_retry": min(later, default=None)}]


async def get_finding(tx: Transaction, key: str) -> list[Row]:
    row = tx.get("findings", key)
    return [] if row is None else [{"finding": row["finding"]}]


async def put_finding(tx: Transaction, key: str, finding: Any) -> list[Row]:
    if not await tx.insert("findings", key, {"finding": as_json(finding)}):
        await tx.update("findings", key, lambda row: {**row, "finding": as_json(finding)})
    return []


def _only(row: Row, columns: str) -> Row:
    return {name: row[name] for name in columns.split()}


STATEMENTS: dict[str, Statement] = {
    QUERIES.add_experiment: add_experiment,
    QUERIES.remember_cancel: remember_cancel,
    QUERIES.forget_cancels: forget_cancels,
    QUERIES.claim_intake: claim_intake,
    QUERIES.renew_lease: renew_lease,
    QUERIES.reject_experiment: reject_experiment,
    QUERIES.accept_experiment: accept_experiment,
    QUERIES.claim_settling: claim_settling,
    QUERIES.end_experiment: end_experiment,
    QUERIES.set_cancel_reason: set_cancel_reason,
    QUERIES.get_experiment: get_experiment,
    QUERIES.admission_lock: admission_lock,
    QUERIES.take_turn: take_turn,
    QUERIES.keep_turn: keep_turn,
    QUERIES.what_is_due: what_is_due,
    QUERIES.get_finding: get_finding,
    QUERIES.put_finding: put_finding,
    **world.STATEMENTS,
}

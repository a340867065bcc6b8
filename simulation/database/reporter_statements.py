"""The reporter's statements, read model and due reports, each as a function of a transaction.

Says what `assay_reporter/queries.sql` says, and no more; statements of pages are not among them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from assay_reporter.store import QUERIES

from simulation.database.server import Row, Statement, Transaction, as_json

TABLES: dict[str, dict[Any, Row]] = {
    "experiments": {},
    "experiment_jobs": {},
    "jobs": {},
    "job_curves": {},
    "job_usage": {},
    "reports": {},
    "baselines": {},
    "deliveries": {},
}
BLANK: Row = {
    "name": "", "owner": "", "question": "", "status": "", "jobs": 0, "reused": 0, "problems": [], "sentence": "",
    "ended_at": None,
}  # fmt: skip
_NEWS = ("attempt", "sequence", "state", "step", "total", "message", "eta_s", "heard_at")


async def _upsert(tx: Transaction, identity: str, first: Row, change: Row) -> list[Row]:
    """A new experiment's row, or what changes of the one that is there."""
    if not await tx.insert("experiments", identity, {"id": identity, **BLANK, **first}):
        await tx.update("experiments", identity, lambda row: {**row, **change})
    return []


async def experiment_accepted(
    tx: Transaction, identity: str, name: str, owner: str, question: str, jobs: int, reused: int, at: datetime
) -> list[Row]:
    said = {"name": name, "owner": owner, "question": question, "jobs": jobs, "reused": reused}
    new = {"id": identity, **BLANK, **said, "status": "running", "first_seen_at": at}
    if not await tx.insert("experiments", identity, new):
        await tx.update("experiments", identity, lambda row: {**row, **said, "first_seen_at": at})
    return []


async def add_experiment_job(
    tx: Transaction, identity: str, position: int, key: str, kind: str, title: str, reused: bool
) -> list[Row]:
    row = {"experiment_id": identity, "position": position, "job_key": key, "kind": kind, "title": title}
    await tx.insert("experiment_jobs", (identity, position), {**row, "reused": reused})
    return []


async def experiment_rejected(
    tx: Transaction, identity: str, name: str, owner: str, problems: Any, at: datetime
) -> list[Row]:
    change = {"status": "rejected", "problems": as_json(problems), "ended_at": at}
    return await _upsert(tx, identity, {"name": name, "owner": owner, **change, "first_seen_at": at}, change)


async def experiment_completed(
    tx: Transaction, identity: str, name: str, owner: str, outcome: str, jobs: int, reused: int, at: datetime
) -> list[Row]:
    change = {"status": outcome, "jobs": jobs, "reused": reused, "ended_at": at}
    return await _upsert(tx, identity, {"name": name, "owner": owner, **change, "first_seen_at": at}, change)


def outranks(new: Row, known: Row) -> bool:
    """Whether news of a job replaces what is known: a success does, and of two the one of the earlier attempt."""
    newer = (known["attempt"], known["sequence"]) < (new["attempt"], new["sequence"])
    if known["state"] == "succeeded":
        return bool(new["state"] == "succeeded" and new["attempt"] < known["attempt"])
    return newer or new["state"] == "succeeded"


async def job_heard(tx: Transaction, key: str, *news: Any) -> list[Row]:
    row = {"job_key": key, **dict(zip(_NEWS, news, strict=True))}
    if not await tx.insert("jobs", key, row):
        await tx.update("jobs", key, lambda known: row if outranks(row, known) else None)
    return []


async def add_curve_point(tx: Transaction, key: str, attempt: int, bucket: int, step: int, metrics: Any) -> list[Row]:
    row = {"job_key": key, "attempt": attempt, "bucket": bucket, "step": step, "metrics": as_json(metrics)}
    await tx.insert("job_curves", (key, attempt, bucket), row)
    return []


async def add_usage(
    tx: Transaction, key: str, attempt: int, outcome: str, wall_s: float, cpu_s: float, gpu_s: float, at: datetime
) -> list[Row]:
    row = {"job_key": key, "attempt": attempt, "outcome": outcome, "wall_s": wall_s, "cpu_s": cpu_s, "gpu_s": gpu_s}
    await tx.insert("job_usage", (key, attempt), {**row, "ended_at": at})
    return []


async def add_report(tx: Transaction, identity: str, result: Any, caused_by: str) -> list[Row]:
    row = {"experiment_id": identity, "result": as_json(result), "caused_by": caused_by, "state": "due", "tries": 0}
    await tx.insert("reports", identity, {**row, "due_at": tx.began_at, "failure": ""})
    return []


async def take_due_report(tx: Transaction) -> list[Row]:
    def due(row: Row) -> bool:
        return bool(row["state"] == "due" and row["due_at"] <= tx.began_at)

    for row in sorted((row for _, row in tx.rows("reports") if due(row)), key=lambda row: row["due_at"]):
        if not tx.is_locked("reports", row["experiment_id"]):
            now = await tx.lock("reports", row["experiment_id"])
            if now is not None and due(now):
                return [{name: now[name] for name in ("experiment_id", "result", "caused_by", "tries")}]
    return []


async def report_made(tx: Transaction, identity: str) -> list[Row]:
    await tx.update("reports", identity, lambda row: {**row, "state": "made", "failure": ""})
    return []


async def report_delayed(tx: Transaction, identity: str, failure: str, seconds: float) -> list[Row]:
    later = {"failure": failure, "due_at": tx.began_at + timedelta(seconds=seconds)}
    await tx.update("reports", identity, lambda row: {**row, **later, "tries": row["tries"] + 1})
    return []


async def report_waits(tx: Transaction, identity: str, seconds: float) -> list[Row]:
    later = {"due_at": tx.began_at + timedelta(seconds=seconds)}
    await tx.update("reports", identity, lambda row: {**row, **later})
    return []


async def usage_of_attempts(tx: Transaction, keys: list[str], attempts: list[int]) -> list[Row]:
    asked = zip(keys, attempts, strict=True)
    return [row for attempt in asked if (row := tx.get("job_usage", attempt)) is not None]


async def report_failed(tx: Transaction, identity: str, failure: str) -> list[Row]:
    given_up = {"state": "failed", "failure": failure}
    await tx.update("reports", identity, lambda row: {**row, **given_up, "tries": row["tries"] + 1})
    return []


async def failed_reports_again(tx: Transaction, tries: int) -> list[Row]:
    def again(row: Row) -> Row | None:
        return {**row, "state": "due", "tries": tries, "due_at": tx.began_at} if row["state"] == "failed" else None

    for identity in [row["experiment_id"] for _, row in tx.rows("reports") if row["state"] == "failed"]:
        await tx.update("reports", identity, again)
    return []


async def concluded(tx: Transaction, identity: str, sentence: str) -> list[Row]:
    await tx.update("experiments", identity, lambda row: {**row, "sentence": sentence})
    return []


async def get_baselines(tx: Transaction, keys: list[str]) -> list[Row]:
    return [row for key in keys if (row := tx.get("baselines", key)) is not None]


STATEMENTS: dict[str, Statement] = {
    QUERIES.experiment_accepted: experiment_accepted,
    QUERIES.add_experiment_job: add_experiment_job,
    QUERIES.experiment_rejected: experiment_rejected,
    QUERIES.experiment_completed: experiment_completed,
    QUERIES.job_heard: job_heard,
    QUERIES.add_curve_point: add_curve_point,
    QUERIES.add_usage: add_usage,
    QUERIES.add_report: add_report,
    QUERIES.take_due_report: take_due_report,
    QUERIES.report_made: report_made,
    QUERIES.report_delayed: report_delayed,
    QUERIES.report_failed: report_failed,
    QUERIES.report_waits: report_waits,
    QUERIES.usage_of_attempts: usage_of_attempts,
    QUERIES.failed_reports_again: failed_reports_again,
    QUERIES.concluded: concluded,
    QUERIES.get_baselines: get_baselines,
}

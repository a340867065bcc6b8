"""What HTTP shows of experiments and jobs: plain JSON, every wait explained in words.

Pure: rows go in, JSON comes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay_schemas.results import Plan, job_titles

from assay_scheduler.policy import Admission, in_words

Waits = Mapping[str, str]
WAITS = {
    "waiting": "Waits for the jobs it depends on.",
    "requested": "Asked for; has not said anything yet.",
    "cancelling": "Is being stopped.",
}
SUMMARY = ("id", "name", "owner", "priority", "requested_at", "accepted_at", "ended_at", "job_count", "reused_count")


def waits_of(admission: Admission) -> dict[str, str]:
    """Why each ready job waits, and where in the queue it stands."""
    waits = dict.fromkeys(admission.admitted, in_words(1, []))
    for position, candidate in enumerate(admission.waiting, start=1):
        waits[candidate.key] = in_words(
            position, admission.short[candidate.key], admission.over_quota.get(candidate.key, [])
        )
    return waits


def experiment_summary(row: Mapping[str, Any]) -> dict[str, Any]:
    """One line of a list of experiments; `status` is how it ended, once it has."""
    return {
        **{name: row[name] for name in SUMMARY},
        "status": row["outcome"] or row["status"],
        "cancelled": row["cancelled"],
        "problems": row["problems"],
    }


def experiment_view(row: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]], waits: Waits) -> dict[str, Any]:
    """One experiment: its jobs in the plan's order, and arm by arm which of them are whose."""
    plan = Plan.model_validate(row["plan"]) if row["plan"] else None
    titles = job_titles(plan) if plan else {}
    view = {
        **experiment_summary(row),
        "cancel_reason": row["cancel_reason"],
        "plan": row["plan_ref"],
        "result": row["result_ref"],
        "ended_jobs": sum(job["job_end"] is not None for job in jobs),
        "jobs": [{"title": titles.get(job["key"], job["kind"]), **job_in_experiment(job, waits)} for job in jobs],
    }
    if plan is not None:
        view |= {"question": plan.spec.question, "warnings": plan.warnings, "arms": _arms(plan)}
    return view


def _arms(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": arm.name,
            "role": arm.role,
            "dataset": arm.dataset.model_dump() if arm.dataset else None,
            "replicates": [
                replicate.model_dump(exclude={"arm"}) for replicate in plan.replicates if replicate.arm == arm.name
            ],
        }
        for arm in plan.arms
    ]


def job_in_experiment(row: Mapping[str, Any], waits: Waits) -> dict[str, Any]:
    """A job as one experiment sees it: its end there, whether it was reused, and why or why not."""
    end = row["job_end"]
    return {
        "key": row["key"],
        "kind": row["kind"],
        "status": end["outcome"] if end else row["status"],
        "attempt": end["attempt"] if end else row["attempt"],
        "reused": row["reused"],
        "reason": row["reason"],
        "waiting": "" if end else _wait(row, waits),
        "progress": _progress(row),
        "error": end["error"] if end else None,
    }


def _wait(row: Mapping[str, Any], waits: Waits) -> str:
    if row["status"] == "ready" and row["key"] not in waits and row["not_before"] is not None:
        return f"Failed, and is tried again at {row['not_before']:%H:%M:%S} UTC."
    return waits.get(row["key"]) or WAITS.get(row["status"], "")


def _progress(row: Mapping[str, Any]) -> dict[str, Any] | None:
    progress = row["progress"]
    if not progress:
        return None
    return {name: progress.get(name) for name in ("phase", "step", "total", "message", "eta_s", "metrics", "at")}


def job_summary(row: Mapping[str, Any], waits: Waits) -> dict[str, Any]:
    """One line of a list of jobs."""
    names = ("key", "kind", "status", "priority", "attempt", "created_at", "requested_at", "ended_at")
    return {
        **{name: row[name] for name in names},
        "waiting": waits.get(row["key"]) or WAITS.get(row["status"], ""),
        "progress": _progress(row),
    }


def job_view(
    row: Mapping[str, Any],
    attempts: Sequence[Mapping[str, Any]],
    wants: Sequence[Mapping[str, Any]],
    waits: Waits,
) -> dict[str, Any]:
    """One job: its declared inputs, result or error, its attempts, and which experiments want it."""
    body = row["body"]
    names = ("inputs", "hardware", "depends_on", "result", "checkpoint", "error", "usage", "failures", "lost")
    return {
        **job_summary(row, waits),
        **{name: body[name] for name in names},
        "heartbeat_at": row["heartbeat_at"],
        "attempts": [dict(attempt) for attempt in attempts],
        "wanted_by": [
            {
                "experiment": want["experiment_id"],
                "name": want["name"],
                "owner": want["owner"],
                "arm": want["arm"],
                "reused": want["reused"],
                "reason": want["reason"],
                "outcome": want["job_end"]["outcome"] if want["job_end"] else None,
            }
            for want in wants
        ],
    }

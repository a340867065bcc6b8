"""The live part of an experiment's page: what every job is doing, as rows to show.

Pure functions of the read model's rows.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

KINDS = {"training": "Training", "selection": "Checkpoint selection", "eval": "Evaluation"}
ENDED = frozenset({"succeeded", "failed", "cancelled", "reused"})


def stages(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Per kind of job: how many there are, how many have ended, the share done, and the rest in words."""
    found = []
    for kind, title in KINDS.items():
        listed = [job for job in jobs if job["kind"] == kind]
        if not listed:
            continue
        states = Counter(state_of(job) for job in listed)
        done = sum(states[state] for state in ENDED)
        partial = sum(share(job) for job in listed if state_of(job) == "running")
        words = ", ".join(
            f"{states[name]} {name}" for name in ("reused", "running", "waiting", "failed", "cancelled") if states[name]
        )
        percent = round(100 * (done + partial) / len(listed))
        found.append({"title": title, "total": len(listed), "done": done, "percent": percent, "words": words})
    return found


def state_of(job: dict[str, Any]) -> str:
    """A job done before this experiment asked for it is `reused`; a joined one shows what it is doing."""
    if job["reused"] and job["state"] in ("waiting", "succeeded"):
        return "reused"
    return str(job["state"])


def share(job: dict[str, Any]) -> float:
    return min(job["step"] / job["total"], 1.0) if job["total"] else 0.0


def running(jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs that run now, with their share done in percent."""
    return [{**job, "percent": round(100 * share(job))} for job in jobs if state_of(job) == "running"]


def said(jobs: list[dict[str, Any]], state: str) -> list[dict[str, Any]]:
    """What jobs in a state said of it, each saying once, with its jobs: why they wait, or how they failed."""
    found: dict[str, list[str]] = {}
    for job in jobs:
        if job["message"] and state_of(job) == state:
            found.setdefault(job["message"], []).append(job["title"])
    return [{"message": message, "titles": titles} for message, titles in found.items()]

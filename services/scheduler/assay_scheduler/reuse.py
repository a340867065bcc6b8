"""Whether a wanted job is work that was done before, and if not, why not, in words a person can act on.

Pure; compares declared inputs only. Never decides what is done about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from assay_schemas.differences import enumerated
from assay_schemas.jobs import JobInputs

from assay_scheduler.states import Job

NEVER_SEEN = "never seen before"
WORDS = {
    "dataset": "dataset digest",
    "model": "model digest",
    "items": "benchmark items' digest",
    "selection": "checkpoint selection (and so the training before it)",
    "training": "training run",
}


@dataclass(frozen=True)
class Earlier:
    """A job of an earlier experiment, to compare with; `origin` names it for a person."""

    inputs: JobInputs
    origin: str

    @cached_property
    def flat(self) -> dict[str, Any]:
        return _flat(self.inputs.model_dump(mode="json"))


@dataclass(frozen=True)
class Assessment:
    reused: bool
    reason: str
    joined: bool = False


def assess(existing: Job | None, reason_if_new: str = NEVER_SEEN) -> Assessment:
    """What becomes of a wanted job, given the job of the same key, if there is one."""
    if existing is None:
        return Assessment(False, reason_if_new)
    match existing.status:
        case "succeeded":
            return Assessment(True, f"done before, in attempt {existing.attempt}{_when(existing)}")
        case "requested" | "running":
            return Assessment(True, f"already running (attempt {existing.attempt}): joined", joined=True)
        case "waiting" | "ready":
            return Assessment(True, "already planned for another experiment: joined", joined=True)
        case "cancelling":
            return Assessment(False, "was being cancelled: asked for again")
        case "failed":
            return Assessment(False, f"failed before ({_error(existing)}): tried again")
        case "cancelled":
            return Assessment(False, "was cancelled before it finished: started again")
        case _:
            return Assessment(False, "was skipped before, because a job it depends on did not succeed")


def _when(job: Job) -> str:
    return f", on {job.ended_at:%Y-%m-%d %H:%M} UTC" if job.ended_at else ""


def _error(job: Job) -> str:
    return f"{job.error.class_}: {job.error.message[:200]}" if job.error else "no reason recorded"


def nearest_difference(inputs: JobInputs, earlier: Iterable[Earlier]) -> str:
    """Why nothing fits `inputs`: which of them differ from the most similar earlier job of its kind. None may: who asks
    for a single job twice is told before it is known that the first is joined."""
    wanted = _flat(inputs.model_dump(mode="json"))
    best: tuple[list[str], Earlier] | None = None
    for candidate in earlier:
        if candidate.inputs.kind != inputs.kind:
            continue
        differing = _differing(wanted, candidate.flat)
        if best is None or len(differing) < len(best[0]):
            best = (differing, candidate)
        if len(differing) <= 1:
            break
    if best is None:
        return f"{NEVER_SEEN}: the first {inputs.kind} job here"
    differing, candidate = best
    if not differing:
        return f"the same as that of {candidate.origin}"
    return f"{NEVER_SEEN}: {_listed(differing)} of {candidate.origin}"


def _listed(differing: list[str]) -> str:
    shown = [WORDS.get(name, name) for name in differing[:3]]
    left = len(differing) - 3
    shown += [f"{left} more input{'s' if left > 1 else ''}"] if left > 0 else []
    return f"{enumerated(shown)} {'differ from those' if len(differing) > 1 else 'differs from that'}"


def _differing(wanted: dict[str, Any], other: dict[str, Any]) -> list[str]:
    missing = object()
    names = [*wanted, *(name for name in other if name not in wanted)]
    return [name for name in names if wanted.get(name, missing) != other.get(name, missing)]


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one, with dotted names: hyperparameters.learning_rate."""
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, dict):
            flat |= _flat(item, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = item
    return flat

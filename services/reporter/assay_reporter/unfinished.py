"""What of an experiment did not finish, a sentence each with its reason.

Pure: from the plan and how its jobs ended. Logs stand in the section of failures.
"""

from __future__ import annotations

from collections.abc import Iterable

from assay_schemas.results import JobEnd, PlannedReplicate

from assay_reporter.evidence import Evidence


def unfinished(evidence: Evidence) -> list[str]:
    """A sentence for everything that did not finish, with its reason."""
    ends = {end.key: end for end in evidence.result.ends}
    sentences = []
    for replicate in evidence.plan.replicates:
        for what, end in _first_unfinished(replicate, ends):
            sentences.append(f"{_who(replicate)}: {what} {_why(end)}")
    return sentences


def _first_unfinished(replicate: PlannedReplicate, ends: dict[str, JobEnd]) -> Iterable[tuple[str, JobEnd]]:
    """The first step of a replicate that did not succeed; what merely depended on it is not listed again."""
    for what, key in (("training", replicate.training), ("checkpoint selection", replicate.selection)):
        end = ends.get(key or "")
        if end is not None and end.outcome != "succeeded":
            yield what, end
            return
    for benchmark, key in replicate.evals.items():
        end = ends.get(key)
        if end is not None and end.outcome != "succeeded":
            yield f"evaluation on {benchmark}", end


def _who(replicate: PlannedReplicate) -> str:
    return replicate.arm if replicate.seed is None else f"{replicate.arm}, seed {replicate.seed}"


def _why(end: JobEnd) -> str:
    if end.error is None:
        return f"was {end.outcome}."
    attempts = f" after {end.attempt} attempts" if (end.attempt or 1) > 1 else ""
    return f"{end.outcome}{attempts} ({end.error.class_}): {end.error.message}"

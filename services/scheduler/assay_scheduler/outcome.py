"""How an experiment ended, from how its jobs ended.

A pure function of the plan and the ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay_schemas.events import ExperimentOutcome
from assay_schemas.results import JobEnd, Plan


def experiment_outcome(plan: Plan, ends: Mapping[str, JobEnd], *, cancelled: bool) -> ExperimentOutcome:
    """`failed` without any eval of control, or without any of an arm; `partial` when something else is missing."""
    succeeded = {key for key, end in ends.items() if end.outcome == "succeeded"}
    if all(job.key in succeeded for job in plan.jobs):
        return "succeeded"
    if cancelled:
        return "cancelled"
    roles = {arm.name: arm.role for arm in plan.arms}
    alive = {roles[replicate.arm] for replicate in plan.replicates if succeeded & set(replicate.evals.values())}
    return "partial" if {"control", "arm"} <= alive else "failed"


def single_outcome(ends: Sequence[JobEnd], *, cancelled: bool) -> ExperimentOutcome:
    """The end of a request for single jobs: there is no part of it that would do."""
    if all(end.outcome == "succeeded" for end in ends):
        return "succeeded"
    return "cancelled" if cancelled or any(end.outcome == "cancelled" for end in ends) else "failed"

"""The estimate held against what was measured: hours, tokens and memory, by kind of job.

Pure; counts only jobs that ran for this experiment, succeeded and were estimated.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_schemas.cost.estimate import CostCheck, PlanCost
from assay_schemas.ids import JobKind
from assay_schemas.results import JobEnd

SECONDS_PER_HOUR = 3600.0


def cost_checks(cost: PlanCost | None, ends: Sequence[JobEnd]) -> list[CostCheck]:
    """One check for each kind of job that has measured and estimated jobs; none without an estimate."""
    if cost is None:
        return []
    ran = [end for end in ends if end.outcome == "succeeded" and not end.reused and end.key in cost.jobs]
    kinds: tuple[JobKind, ...] = ("training", "eval")
    return [_check(cost, kind, of_kind) for kind in kinds if (of_kind := [end for end in ran if end.kind == kind])]


def _check(cost: PlanCost, kind: JobKind, ends: Sequence[JobEnd]) -> CostCheck:
    estimates = [cost.jobs[end.key] for end in ends]
    seconds = sum(end.usage.gpu_s if cost.device == "gpu" else end.usage.cpu_s for end in ends)
    return CostCheck(
        kind=kind,
        jobs=len(ends),
        estimated_device_hours=sum(estimate.device_hours for estimate in estimates),
        measured_device_hours=seconds / SECONDS_PER_HOUR,
        estimated_tokens=sum(estimate.tokens for estimate in estimates),
        measured_tokens=float(sum(end.usage.tokens for end in ends)),
        estimated_memory_gib=max(estimate.memory.total_gib for estimate in estimates),
        measured_memory_gib=max(end.usage.peak_memory_gib for end in ends),
    )

"""Interventions on an arm's rows in words: what was changed, and what an arm is to be compared with.

Describes what was asked for; changes no row.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_schemas.experiments import ArmSpec, Intervention
from assay_schemas.results import Plan

MEANINGS = {
    "swap_chosen": "chosen and rejected answers exchanged between rows, so that neither fits its prompt",
    "flip_labels": "chosen and rejected answers exchanged within the row",
    "drop_prompt": "prompts left out",
    "shuffle_prompt": "prompts exchanged between rows",
    "match_length": "the longer answer cut to the length of the shorter",
    "strip_format": "formatting marks taken out of answers",
    "subsample": "only a part of the rows kept",
    "subset": "only some rows kept",
    "deduplicate": "repeated rows left out",
}


def in_words(interventions: Sequence[Intervention]) -> str:
    """`prompts left out in 50 % of rows (drop_prompt)`, one after the other."""
    return "; then ".join(f"{_meaning(one)} ({one.kind})" for one in interventions)


def _meaning(one: Intervention) -> str:
    if one.kind == "subset":
        return f"only rows whose {one.column} is {' or '.join(map(str, one.values or []))}"
    share = 1.0 if one.fraction is None else one.fraction
    if one.kind == "subsample":
        return f"{100 * share:g} % of the rows kept"
    words = MEANINGS.get(one.kind, one.kind.replace("_", " "))
    return words if share == 1 else f"{words}, in {100 * share:g} % of rows"


def same_runs(plan: Plan, arm: str, other: str) -> bool:
    """Whether two arms were trained by the very same jobs: nobody sees from their names that their data is one."""
    jobs: dict[str, list[str]] = {arm: [], other: []}
    for replicate in plan.replicates:
        if replicate.arm in jobs and replicate.training is not None:
            jobs[replicate.arm].append(replicate.training)
    return bool(jobs[arm]) and jobs[arm] == jobs[other]


def base_arm(plan: Plan, arm: ArmSpec) -> str | None:
    """The arm with the same snapshot and no interventions, or None where the experiment has none."""
    snapshots = {one.name: one.dataset.digest for one in plan.arms if one.dataset is not None}
    for other in plan.spec.arms:
        untouched = not other.interventions and other.name != arm.name
        same = other.name in snapshots and snapshots[other.name] == snapshots.get(arm.name)
        if untouched and same and other.training == arm.training:
            return other.name
    return None

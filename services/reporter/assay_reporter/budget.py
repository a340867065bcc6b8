"""What comes after a look at an experiment with a budget: which arms stop, and where seeds and items are added.

Pure: from a plan and its verdicts to a decision and the specification of the next look. Verdicts are given elsewhere,
each look's at its part of the level, so that nothing decided here can raise false verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_schemas.events import BudgetedArm, ExperimentBudget, ExperimentOutcome
from assay_schemas.experiments import ArmSpec, BenchmarkSpec, Budget, ExperimentSpec
from assay_schemas.ids import event_id, experiment_id
from assay_schemas.reports import Verdict
from assay_schemas.results import Plan

SOURCE = "assay/reporter"


def look_at(
    plan: Plan, verdicts: Sequence[Verdict], outcome: ExperimentOutcome = "succeeded"
) -> ExperimentBudget | None:
    """What the verdicts of this look lead to; None for an experiment without a budget.

    An arm stops when every verdict is given, and when it can no longer be better by the smallest effect of interest on
    any benchmark that is open. The runs of the next look go first to the arms that the fewest more would settle.
    After a cancelled or failed experiment nothing goes on.
    """
    budget = plan.spec.budget
    if budget is None:
        return None
    seeds = _seeds(plan)
    used = sum(map(len, seeds.values()))
    left, looks_left = max(0, budget.runs - used), budget.looks - budget.look
    items = more_items(plan, verdicts) if looks_left else {}
    arms = {name: _judged(name, len(seeds.get(name, ())), verdicts) for name in _trained(plan)}
    wanted = {name: _wanted(name, verdicts) for name, one in arms.items() if one.action == "kept"}
    share = -(-left // looks_left) if looks_left else 0
    for name in sorted(wanted, key=lambda arm: wanted[arm] or budget.runs):
        added = min(wanted[name], share)
        share -= added
        over = "" if looks_left and left else f"{'runs' if looks_left else 'looks'} are used up"
        arms[name] = _after(arms[name], added, waits=bool(items) and not wanted[name], over=over)
    more = any(one.added for one in arms.values()) or (bool(items) and any(a.action == "kept" for a in arms.values()))
    goes_on = more and outcome in ("succeeded", "partial")
    return ExperimentBudget(
        experiment_id=plan.experiment_id,
        first=budget.first or plan.experiment_id,
        look=budget.look,
        looks=budget.looks,
        runs=budget.runs,
        used=used,
        arms=list(arms.values()),
        more_items=items if goes_on else {},
        next=experiment_id(SOURCE, request_id(plan.experiment_id)) if goes_on else None,
        saved_runs=0 if goes_on else left,
    )


def request_id(experiment: str) -> str:
    """The id of the event that asks for the look after this experiment's; asking again is the same event."""
    return event_id("experiment.requested", "next look", experiment)


def next_look(plan: Plan, decided: ExperimentBudget) -> ExperimentSpec:
    """The same experiment on the same snapshots with more seeds or items: all that was done is reused."""
    budget, spec = plan.spec.budget or Budget(runs=decided.runs), plan.spec
    seeds = _seeds(plan)
    added = {one.arm: one.added for one in decided.arms}
    new = 1 + max((seed for each in seeds.values() for seed in each), default=-1)
    digests = {arm.name: arm.dataset.digest for arm in plan.arms if arm.dataset is not None}
    arms: list[ArmSpec] = [
        arm.model_copy(
            update={
                "dataset": f"sha256:{digests[arm.name]}",
                "seeds": [*seeds.get(arm.name, ()), *range(new, new + added.get(arm.name, 0))] or None,
            }
        )
        if arm.model is None
        else arm
        for arm in spec.arms
    ]
    return spec.model_copy(
        update={
            "owner": plan.owner or None,
            "arms": arms,
            "benchmarks": [_with_limit(one, decided, plan, place) for place, one in enumerate(spec.benchmarks)],
            "budget": budget.model_copy(update={"look": budget.look + 1, "first": decided.first}),
        }
    )


def _with_limit(benchmark: BenchmarkSpec, decided: ExperimentBudget, plan: Plan, place: int) -> BenchmarkSpec:
    limit = decided.more_items.get(plan.benchmarks[place].id)
    return benchmark if limit is None else benchmark.model_copy(update={"limit": limit})


def more_items(plan: Plan, verdicts: Sequence[Verdict]) -> dict[str, int]:
    """New limits of benchmarks on which items, not seeds, keep a verdict open and more of them are there."""
    found = {}
    for spec, planned in zip(plan.spec.benchmarks, plan.benchmarks, strict=True):
        there = planned.items.rows if planned.items else 0
        wanted = [one.more_items for one in _open(verdicts) if one.benchmark == planned.id and not one.more_seeds]
        most = max((more for more in wanted if more), default=0)
        if spec.limit is not None and most and there > spec.limit:
            found[planned.id] = min(there, spec.limit + most)
    return found


def _trained(plan: Plan) -> list[str]:
    return [arm.name for arm in plan.arms if arm.role == "arm"]


def _seeds(plan: Plan) -> dict[str, list[int]]:
    """The seeds of every trained arm and of the placebo."""
    found: dict[str, list[int]] = {}
    for replicate in plan.replicates:
        if replicate.seed is not None:
            found.setdefault(replicate.arm, []).append(replicate.seed)
    return found


def _open(verdicts: Sequence[Verdict], arm: str | None = None) -> list[Verdict]:
    """The declared verdicts that are not given yet."""
    declared = [one for one in verdicts if one.family == "primary" and arm in (None, one.arm)]
    return [one for one in declared if one.verdict == "underpowered"]


def _judged(arm: str, seeds: int, verdicts: Sequence[Verdict]) -> BudgetedArm:
    undecided = _open(verdicts, arm)
    if not undecided:
        return BudgetedArm(arm=arm, action="decided", seeds=seeds, reason="no verdict is open any more")
    if all(map(_out_of_reach, undecided)):
        where = " and ".join(one.benchmark for one in undecided)
        reason = f"it cannot be better on {where} by the smallest effect of interest any more"
        return BudgetedArm(arm=arm, action="out_of_reach", seeds=seeds, reason=reason)
    return BudgetedArm(arm=arm, action="kept", seeds=seeds, reason="open")


def _out_of_reach(verdict: Verdict) -> bool:
    """Whether the interval, which holds at every look, leaves no room for a gain that matters."""
    if verdict.interval is None or verdict.smallest_effect is None:
        return False
    low, high = verdict.interval
    best = high if verdict.higher_is_better else -low
    return best < verdict.smallest_effect


def _wanted(arm: str, verdicts: Sequence[Verdict]) -> int:
    """Seeds that would settle the arm's verdict that the fewest would settle; one where no number is known."""
    known = [one.more_seeds for one in _open(verdicts, arm) if not _out_of_reach(one)]
    numbers = [more for more in known if more]
    return min(numbers) if numbers else int(any(more is None for more in known))


def _after(arm: BudgetedArm, added: int, *, waits: bool, over: str) -> BudgetedArm:
    """`over`: why nothing can be added any more, where nothing can."""
    if added:
        reason = f"{added} more seed{'s' if added > 1 else ''}: what its open verdict needs, as far as runs go"
        return arm.model_copy(update={"action": "added", "added": added, "reason": reason})
    if waits:
        return arm.model_copy(update={"reason": "its open verdict needs items, not seeds"})
    reason = over or "runs go first to arms that fewer would settle"
    return arm.model_copy(update={"action": "stopped" if over else "kept", "reason": reason})

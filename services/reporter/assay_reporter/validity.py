"""The gate before any statistics: which arm on which benchmark may not be judged, and why in a sentence.

A broken comparison has no number; an effect of the data, however large, is none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from assay_schemas.benchmarks import MOST_FAILED
from assay_schemas.experiments import CONTROL, PLACEBO
from assay_schemas.results import EvalResult, PlannedReplicate

from assay_reporter.amounts import amount
from assay_reporter.baselines import moved
from assay_reporter.diagnosis.columns import Column
from assay_reporter.diagnosis.contamination import LIMIT
from assay_reporter.evidence import Evidence
from assay_reporter.examination import Examination
from assay_reporter.scoring import smallest_effect

MOST_FAILED_RUNS = 0.5
DIVERGED = "diverged"
READ_BEFORE, READ_NOW = 0.5, 0.1


def broken_comparisons(examined: Examination) -> dict[tuple[str, str], str]:
    """By (arm, benchmark id), the first reason that applies; control's own breaks every comparison with it."""
    found = {}
    for benchmark, arms in examined.columns.items():
        for arm in [one.name for one in examined.evidence.plan.arms]:
            reasons = (check(examined, arm, benchmark, arms) for check in CHECKS)
            reason = next((one for one in reasons if one), "")
            if reason:
                found[arm, benchmark] = reason
    return found


def cancelled_arms(examined: Examination) -> set[tuple[str, str]]:
    """(arm, benchmark id) where every run was cancelled before it was evaluated, which says nothing about the data."""
    evidence = examined.evidence
    return {
        (arm.name, benchmark.id)
        for arm in evidence.plan.arms
        for benchmark in evidence.plan.benchmarks
        if (wanted := _wanted(evidence, arm.name)) and all(_cancelled(evidence, one, benchmark.id) for one in wanted)
    }


def _wanted(evidence: Evidence, arm: str) -> list[PlannedReplicate]:
    return [one for one in evidence.plan.replicates if one.arm == arm]


def _cancelled(evidence: Evidence, replicate: PlannedReplicate, benchmark: str) -> bool:
    """Whether a person stopped a step that the replicate's evaluation needed."""
    steps = (replicate.training, replicate.selection, replicate.evals.get(benchmark))
    ends = [end for key in steps if (end := evidence.end(key)) is not None]
    return any(end.outcome == "cancelled" for end in ends)


def _failed_runs(examined: Examination, arm: str, benchmark: str, arms: Mapping[str, list[Column]]) -> str:
    """A run that diverged, or most runs lost: what is left would flatter the arm. Cancelled runs are not lost."""
    wanted = [one for one in _wanted(examined.evidence, arm) if not _cancelled(examined.evidence, one, benchmark)]
    classes = [
        end.error.class_
        for one in wanted
        if (end := examined.evidence.end(one.training)) is not None and end.error is not None
    ]
    there = len(arms.get(arm, []))
    if DIVERGED in classes:
        count = classes.count(DIVERGED)
        return f"{count} of {len(wanted)} training runs of {arm} diverged: the runs that are left would flatter it."
    if 0 < there < len(wanted) * MOST_FAILED_RUNS:
        return f"Only {there} of {len(wanted)} replicates of {arm} have a result on {benchmark}: too few are left."
    return ""


def _failed_items(examined: Examination, arm: str, benchmark: str, arms: Mapping[str, list[Column]]) -> str:
    """More items without a score than the benchmark declares: those that are left are not the benchmark."""
    most = _most_failed(examined, benchmark)
    for column in arms.get(arm, []):
        failed = int(np.isnan(column.scores).sum())
        if 0 < failed < len(column.scores) and failed > most * len(column.scores):
            who = arm if column.seed is None else f"{arm}, seed {column.seed}"
            return (
                f"{failed:,} of {len(column.scores):,} items of {benchmark} failed for {who}, "
                f"more than {100 * most:g} %."
            )
    return ""


def _most_failed(examined: Examination, benchmark: str) -> float:
    """The share of items that may fail, as the benchmark was asked for."""
    planned = examined.evidence.plan.benchmark(benchmark)
    asked = [one.result.inputs.parameters for _, one in examined.evidence.evaluated(planned)]
    return float(asked[0].get("most_failed", MOST_FAILED)) if asked else MOST_FAILED


def _unread(examined: Examination, arm: str, benchmark: str, arms: Mapping[str, list[Column]]) -> str:
    """The scorer no longer finds answers that are there: the score measures form, not content."""
    now = _read_share(arms.get(arm, []))
    if arm == CONTROL or now is None or now > READ_NOW:
        return ""
    for versus in dict.fromkeys((CONTROL, examined.first_arm)):
        before = _read_share(arms.get(versus, []))
        if versus == arm or before is None or before < READ_BEFORE:
            continue
        parts = examined.decomposed(arm, versus, benchmark)
        if parts is not None and parts.lost["format"] >= parts.lost["content"] + parts.lost["truncation"]:
            lenient = amount(parts.lenient, proportion=True, signed=True)
            return (
                f"The scorer finds an answer in {100 * now:.0f} % of {arm}'s responses on {benchmark} ({versus}: "
                f"{100 * before:.0f} %), though the right answers are there: the format changed, and the score says "
                f"nothing about content. Read leniently, the difference is {lenient} points."
            )
    return ""


def _read_share(columns: list[Column]) -> float | None:
    shares = [share for column in columns if (share := column.read_share()) is not None]
    return sum(shares) / len(shares) if shares else None


def _contaminated(examined: Examination, arm: str, benchmark: str, arms: Mapping[str, list[Column]]) -> str:  # noqa: ARG001
    """The arm has seen the benchmark; the placebo has the first arm's rows."""
    asked = next((one.name for one in examined.evidence.plan.arms if one.role == "arm"), arm) if arm == PLACEBO else arm
    items, count = examined.contaminated.get((asked, benchmark), frozenset()), examined.item_count(benchmark)
    if len(items) <= LIMIT * count:
        return ""
    return (
        f"{len(items):,} of {count:,} items of {benchmark} stand in {arm}'s training rows "
        f"(contamination above the limit of {100 * LIMIT:.0f} %): the score says what it remembers."
    )


def _other_questions(examined: Examination, arm: str, benchmark: str, arms: Mapping[str, list[Column]]) -> str:  # noqa: ARG001
    """Another harness version, other data or other prompts than control's: the two are not comparable."""
    planned = examined.evidence.plan.benchmark(benchmark)
    results = [(replicate.arm, one.result) for replicate, one in examined.evidence.evaluated(planned)]
    base = next((result for who, result in results if who == CONTROL), None)
    for result in (result for who, result in results if base is not None and who == arm):
        for what, ours, theirs in _questions(result, base):
            if ours and theirs and ours != theirs:
                return f"{arm} and control are not comparable on {benchmark}: {what} ({ours[:20]} and {theirs[:20]})."
    return ""


def _questions(one: EvalResult, other: EvalResult | None) -> list[tuple[str, str, str]]:
    """What must be equal for two results to be compared; prompts only where no item failed."""
    if other is None:
        return []
    whole = not (one.items_failed or other.items_failed)
    return [
        ("they come from different harness versions", one.inputs.harness_version, other.inputs.harness_version),
        ("they are over different items", one.data_digest, other.data_digest),
        ("their prompts differ", one.prompt_digest if whole else "", other.prompt_digest if whole else ""),
    ]


def _baseline_moved(examined: Examination, arm: str, benchmark: str, arms: Mapping[str, list[Column]]) -> str:  # noqa: ARG001
    """Control no longer scores what it scored: something other than data changed, and what was reused is of before."""
    before, now = examined.evidence.baselines.get(benchmark), examined.baselines.get(benchmark)
    if arm != CONTROL or before is None or now is None:
        return ""
    planned = examined.evidence.plan.benchmark(benchmark)
    parameters = next(one for one in examined.evidence.evaluated(planned))[1].result.inputs.parameters
    if not moved(now, before, smallest_effect(planned, examined.scores[benchmark]), parameters):
        return ""
    return (
        f"The baseline moved: the untouched base model scores {now.value:.4g} on {benchmark} and scored "
        f"{before.value:.4g} on the same items on {before.measured_at:%Y-%m-%d} (experiment "
        f"{before.experiment_id[:8]}). Libraries, number format or device changed; find out which before comparing."
    )


CHECKS: tuple[Callable[[Examination, str, str, Mapping[str, list[Column]]], str], ...] = (
    _other_questions,
    _baseline_moved,
    _failed_runs,
    _failed_items,
    _contaminated,
    _unread,
)

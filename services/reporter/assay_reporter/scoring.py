"""Samples turned into the scores the statistics take, and into the cells of the report's table.

Joins by item id only; several samples of one item are averaged first.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from assay_schemas.benchmarks import definition_of
from assay_schemas.experiments import CONTROL
from assay_schemas.reports import Cell, VerdictWord
from assay_schemas.results import PlannedBenchmark

from assay_reporter.diagnosis.columns import Column, floats
from assay_reporter.diagnosis.strata import clusters
from assay_reporter.evidence import Evidence
from assay_reporter.statistics import ArmScores, BenchmarkScores, average_samples
from assay_reporter.statistics.scores import FloatArray

UNTRAINED = ("control", "reference")


def benchmark_scores(evidence: Evidence, benchmark: PlannedBenchmark) -> BenchmarkScores:
    """Every arm's scores on a benchmark, arms in the plan's order; an arm without samples is left out."""
    found: dict[str, list[tuple[int, list[str], FloatArray]]] = {}
    together: dict[str, str] = {}
    column, ids = None, []
    for replicate, evaluated in evidence.evaluated(benchmark):
        seed = -1 if replicate.seed is None else replicate.seed
        items, scores = (evaluated.samples.column(name) for name in ("item_id", "score"))
        if column is None or not items.equals(column):  # mostly all have the same items in the same order
            column, ids = items, items.to_pylist()
            together.update(clusters(ids, Column(evaluated.samples).texts("details")))
        found.setdefault(replicate.arm, []).append((seed, ids, floats(scores)))
    arms = {
        arm.name: average_samples(found[arm.name], trained=arm.role not in UNTRAINED, clusters=together)
        for arm in evidence.plan.arms
        if arm.name in found
    }
    return BenchmarkScores(
        benchmark=benchmark.id,
        arms=arms,
        higher_is_better=benchmark.higher_is_better,
        proportion=_is_proportion(benchmark, arms),
    )


def _is_proportion(benchmark: PlannedBenchmark, arms: dict[str, ArmScores]) -> bool:
    """Whether scores are shares of 1: what is known of the benchmark, and no score outside [0, 1]."""
    definition = definition_of(benchmark.name, benchmark.harness_version)
    if definition is not None and definition.smallest_effect_is_relative:
        return False
    scores = [arm.scores[~np.isnan(arm.scores)] for arm in arms.values()]
    return all(bool(((one >= 0) & (one <= 1)).all()) for one in scores)


def smallest_effect(benchmark: PlannedBenchmark, scores: BenchmarkScores) -> float:
    """The smallest effect of interest in the metric's unit; a relative one is a share of control's mean."""
    if not benchmark.smallest_effect_is_relative:
        return benchmark.smallest_effect
    control = scores.arms.get(CONTROL)
    mean = control.mean() if control is not None else None
    return benchmark.smallest_effect * abs(mean or 0.0)


def cells(
    evidence: Evidence,
    scores: dict[str, BenchmarkScores],
    words: dict[tuple[str, str], VerdictWord],
    cancelled: Collection[tuple[str, str]] = (),
) -> list[Cell]:
    """The table's cells, arm by arm; an arm with no scores on a benchmark has an empty one, which says whether its runs
    were `cancelled`."""
    found = []
    for arm in evidence.plan.arms:
        for benchmark in evidence.plan.benchmarks:
            means = _seed_means(evidence, scores[benchmark.id].arms.get(arm.name), arm.name, benchmark)
            values = list(means.values())
            stopped = (arm.name, benchmark.id) in cancelled
            # JSON has no infinity, and a mean over the other seeds would hide the one that has it.
            finite = bool(values) and all(map(math.isfinite, values))
            found.append(
                Cell(
                    arm=arm.name,
                    role=arm.role,
                    benchmark=benchmark.id,
                    metric=benchmark.primary,
                    mean=float(np.mean(values)) if finite else None,
                    seed_sd=float(np.std(values, ddof=1)) if finite and len(values) > 1 else None,
                    seed_means={seed: mean for seed, mean in means.items() if math.isfinite(mean)},
                    items=_items(scores[benchmark.id].arms.get(arm.name)),
                    verdict=None if stopped else words.get((arm.name, benchmark.id)),
                    cancelled=stopped,
                )
            )
    return found


def _items(arm: ArmScores | None) -> int:
    return 0 if arm is None else len(arm.items)


def _seed_means(evidence: Evidence, arm: ArmScores | None, name: str, benchmark: PlannedBenchmark) -> dict[int, float]:
    if arm is None:
        return {}
    seeds = sorted(-1 if one.seed is None else one.seed for one, _ in evidence.evaluated(benchmark) if one.arm == name)
    means = [float(np.nanmean(row)) if not np.isnan(row).all() else math.nan for row in arm.scores]
    return {seed: mean for seed, mean in zip(seeds, means, strict=True) if not math.isnan(mean)}

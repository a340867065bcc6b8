"""All comparisons of an experiment: the declared primary family, the placebo's check, the exploratory rest.

Corrects within a family and pools seed noise within a benchmark, never across; which arms are unstable is asked of all
benchmarks together.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from assay_schemas.experiments import CONTROL, PLACEBO

from assay_reporter.statistics.comparison import Comparison, Family
from assay_reporter.statistics.estimate import Estimate, Measured, estimate
from assay_reporter.statistics.question import Question
from assay_reporter.statistics.scores import BenchmarkScores
from assay_reporter.statistics.variance import estimate_seed_noise, measure_spread, unstable_arms
from assay_reporter.statistics.verdict import conclude

SMALLEST_SHARE = 0.02
"""Default smallest effect of interest: 2 points of a proportion; 2 % of control's mean of anything else."""


@dataclass(frozen=True)
class ExperimentComparisons:
    """Every comparison of an experiment, the primary ones first, in the order of benchmarks and arms."""

    comparisons: tuple[Comparison, ...]

    def of(self, family: Family) -> tuple[Comparison, ...]:
        """The comparisons of one family."""
        return tuple(each for each in self.comparisons if each.family == family)

    @property
    def placebo_flags(self) -> tuple[str, ...]:
        """One sentence per benchmark on which the placebo differs from the arm it copies; empty is good."""
        return tuple(
            f"The placebo differs from {each.versus} on {each.benchmark} though both had the same data "
            f"({each.reason.rstrip('.')}): read every verdict on this benchmark with suspicion."
            for each in self.of("check")
            if each.verdict in ("better", "worse")
        )


def compare_experiment(
    benchmarks: Sequence[BenchmarkScores],
    *,
    smallest_effects: Mapping[str, float] | None = None,
    primary: Collection[tuple[str, str]] | None = None,
    first_arm: str | None = None,
    broken: Mapping[tuple[str, str], str] | None = None,
    cancelled: Collection[tuple[str, str]] = (),
    look: int = 1,
    looks: int = 1,
) -> ExperimentComparisons:
    """Every comparison of an experiment with its verdict.

    smallest_effects: by benchmark, in the metric's unit; default 0.02 for proportions, otherwise 2 % of
    control's mean. primary: the declared (arm, benchmark) pairs against control; default every trained arm
    but the placebo × every benchmark. A declared pair without scores still counts in the family.
    first_arm: the arm whose data the placebo has; default the first trained arm. broken: why (arm, benchmark)
    may not be judged at all; each comparison with such an arm is `broken`, and still counts in its family.
    cancelled: the (arm, benchmark) whose runs were cancelled before they had scores; without scores `underpowered`.
    Within the primary family and within the placebo's checks p is corrected by Holm; every other pair of arms
    is exploratory.
    look, looks: which of how many looks at most this is; each p and interval holds for all of them together.
    Raises ValueError where a benchmark occurs twice.
    """
    if len({each.benchmark for each in benchmarks}) != len(benchmarks):
        raise ValueError("benchmarks: a benchmark occurs twice; give each a name of its own")
    declared = _declared(benchmarks) if primary is None else list(dict.fromkeys(primary))
    spreads = [measure_spread(scores.arms) for scores in benchmarks]
    apart = unstable_arms(spreads)
    estimates: list[Estimate] = []
    for scores, spread in zip(benchmarks, spreads, strict=True):
        smallest = (smallest_effects or {}).get(scores.benchmark, default_smallest_effect(scores))
        noise = estimate_seed_noise(spread, apart)
        for arm, versus, family in _pairs(scores, declared, first_arm):
            question = Question(
                arm, versus, scores.benchmark, family, smallest, scores.higher_is_better, scores.proportion, look, looks
            )
            reasons = [(broken or {}).get((name, scores.benchmark)) for name in (arm, versus)]
            reason = next((one for one in reasons if one), None)
            stopped = [name for name in (arm, versus) if (name, scores.benchmark) in cancelled]
            estimates.append(estimate(question, scores, noise, reason, stopped))
    return ExperimentComparisons(
        tuple(_conclude_family(estimates, "primary", corrected=True))
        + tuple(_conclude_family(estimates, "check", corrected=True))
        + tuple(_conclude_family(estimates, "exploratory", corrected=False))
    )


def default_smallest_effect(scores: BenchmarkScores) -> float:
    """0.02 of a proportion; otherwise 2 % of control's mean (0, so never tied, where control has none)."""
    if scores.proportion:
        return SMALLEST_SHARE
    control = scores.arms.get(CONTROL)
    mean = control.mean() if control else None
    return SMALLEST_SHARE * abs(mean or 0.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by the step-down procedure of Holm (1979), Scand. J. Stat. 6.

    The ordered p_(k) becomes max over j ≤ k of (n − j + 1) p_(j), at most 1. (statsmodels' multipletests
    gives the same, after seconds of import and a full garbage collection at every call.)
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    corrected = np.empty_like(p)
    corrected[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)) if p.size else p
    return [float(each) for each in np.minimum(corrected, 1.0)]


def _declared(benchmarks: Sequence[BenchmarkScores]) -> list[tuple[str, str]]:
    arms = dict.fromkeys(name for scores in benchmarks for name, arm in scores.arms.items() if arm.trained)
    return [(arm, scores.benchmark) for scores in benchmarks for arm in arms if arm not in (CONTROL, PLACEBO)]


def _pairs(
    scores: BenchmarkScores, declared: Sequence[tuple[str, str]], first_arm: str | None
) -> list[tuple[str, str, Family]]:
    """The questions of one benchmark: (arm, versus, family), each pair of arms once."""
    pairs: list[tuple[str, str, Family]] = [
        (arm, CONTROL, "primary") for arm, benchmark in declared if benchmark == scores.benchmark
    ]
    arms = [name for name in scores.arms if name != CONTROL]
    first = first_arm or next((n for n in arms if scores.arms[n].trained and n != PLACEBO), None)
    if PLACEBO in arms and first:
        pairs.append((PLACEBO, first, "check"))
    asked = {frozenset(pair[:2]) for pair in pairs}
    against_control = [(arm, CONTROL) for arm in arms if CONTROL in scores.arms]
    between = [(arm, arms[j]) for i, arm in enumerate(arms) for j in range(i) if PLACEBO not in (arm, arms[j])]
    rest: list[tuple[str, str, Family]] = [
        (arm, versus, "exploratory")
        for arm, versus in against_control + between
        if frozenset((arm, versus)) not in asked
    ]
    return pairs + rest


def _conclude_family(estimates: Sequence[Estimate], family: Family, *, corrected: bool) -> list[Comparison]:
    """Verdicts of one family; a comparison without a p-value counts with p = 1."""
    members = [each for each in estimates if each.question.family == family]
    if not corrected:
        return [conclude(each, None, 1) for each in members]
    p_holm = holm([each.outcome.p if isinstance(each.outcome, Measured) else 1.0 for each in members])
    return [conclude(each, p, len(members)) for each, p in zip(members, p_holm, strict=True)]

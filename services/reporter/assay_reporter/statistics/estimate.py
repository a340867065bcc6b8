"""From two arms' scores to the numbers of one comparison, or to a plain sentence why there are none.

Computes; the verdict is given elsewhere, once all comparisons of a family are known.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from assay_schemas.reports import CONFIDENCES, VerdictWord

from assay_reporter.statistics import sentences
from assay_reporter.statistics.interval import (
    LEVEL,
    TIED_LEVEL,
    SeedTerms,
    detectable_effect,
    half_width,
    p_value,
)
from assay_reporter.statistics.looks import level_at, spent_for
from assay_reporter.statistics.power import Precision, flipping_seed_sd
from assay_reporter.statistics.question import Counts, Question
from assay_reporter.statistics.scores import ArmScores, BenchmarkScores, FloatArray, PairedScores, pair_scores
from assay_reporter.statistics.variance import SeedNoise

FEWEST_DIFFERING = 10
RECOMMENDED_SEEDS = 3


@dataclass(frozen=True)
class Refusal:
    """Why no interval is given, and what would help."""

    verdict: VerdictWord
    reason: str
    more_seeds: int | None = None
    more_items: int | None = None


@dataclass(frozen=True)
class Measured:
    """The interval's numbers; half-widths at 95 and 90 %, and from the arms' own variances (or None).

    All of them hold at every declared look together. widths: by one-sided confidence c, the half-width of the
    2c - 1 interval.
    """

    p: float
    width: float
    width_90: float
    widths: dict[float, float]
    own_width: float | None
    own_width_90: float | None
    detectable: float
    df: float | None
    seed_sd: float | None
    precision: Precision
    borrowed: bool
    same_seeds: bool


@dataclass(frozen=True)
class Estimate:
    """One question's numbers, or why there are none. means: of arm and versus over the joined items."""

    question: Question
    counts: Counts
    means: tuple[float, float] | None
    outcome: Measured | Refusal

    @property
    def delta(self) -> float:
        """Mean of arm minus mean of versus; only where means are known."""
        return self.means[0] - self.means[1] if self.means else float("nan")


def estimate(
    question: Question,
    scores: BenchmarkScores,
    noise: SeedNoise,
    broken: str | None = None,
    cancelled: Collection[str] = (),
) -> Estimate:
    """Answer a question from a benchmark's scores and its pooled seed noise; `broken` says why there is no answer.
    An arm without scores because it was `cancelled` is not known yet, and nothing stands against it."""
    missing = [name for name in (question.arm, question.versus) if name not in scores.arms]
    if missing:
        refusal = _without_scores(missing, question.benchmark, cancelled)
        return Estimate(question, Counts(0, 0, 0, 0, 0, 0), None, refusal)
    arm, versus = scores.arms[question.arm], scores.arms[question.versus]
    pair = pair_scores(arm, versus)
    counts = _counts(arm, versus, pair)
    broken = _broken(question, arm, versus, pair) or broken
    if broken:
        return Estimate(question, counts, None, Refusal("broken", broken))
    means = float(pair.arm.mean()), float(pair.versus.mean())
    trained = [name for name in (question.arm, question.versus) if scores.arms[name].trained]
    outcome = _refusal(question, counts, pair, noise, trained) or _measure(pair, noise, trained, question)
    return Estimate(question, counts, means, outcome)


def _without_scores(missing: list[str], benchmark: str, cancelled: Collection[str]) -> Refusal:
    failed = next((name for name in missing if name not in cancelled), None)
    if failed is not None:
        return Refusal("broken", sentences.no_scores(failed, benchmark))
    return Refusal("underpowered", sentences.cancelled(missing, benchmark))


def _counts(arm: ArmScores, versus: ArmScores, pair: PairedScores) -> Counts:
    differing = int(np.count_nonzero(pair.differences())) if pair.n_items and arm.seeds and versus.seeds else 0
    seeds, versus_seeds = (each.seeds if each.trained else 0 for each in (arm, versus))
    return Counts(pair.n_items, pair.n_observations, pair.n_dropped, differing, seeds, versus_seeds)


def _broken(question: Question, arm: ArmScores, versus: ArmScores, pair: PairedScores) -> str | None:
    """Why nothing may be said at all, or None."""
    for name, each in ((question.arm, arm), (question.versus, versus)):
        if np.isnan(each.scores).all():
            return sentences.no_scores(name, question.benchmark)
        empty = np.flatnonzero(np.isnan(each.scores).all(axis=1))
        if empty.size:
            return sentences.empty_seed(name, int(empty[0]) + 1, each.seeds, question.benchmark)
        if not each.complete.items:
            return sentences.no_complete_item(name, question.benchmark)
    if not pair.n_items:
        return sentences.no_shared_item(question.arm, question.versus, question.benchmark)
    if not (arm.bounded and versus.bounded):
        return sentences.unbounded_scores(question.arm, question.versus, question.benchmark)
    return None


def _refusal(
    question: Question, counts: Counts, pair: PairedScores, noise: SeedNoise, trained: list[str]
) -> Refusal | None:
    """Why there are scores but no interval: too few items that differ, or no replicate anywhere."""
    differing, total = counts.n_differing, counts.n_observations
    if differing < FEWEST_DIFFERING:
        more = counts.items_for(-(-FEWEST_DIFFERING * total // differing) - total if differing else None)
        reason = sentences.few_differing(question, counts, FEWEST_DIFFERING, more)
        return Refusal("underpowered", reason, more_items=more)
    if trained and any(name not in noise.arms for name in trained):
        return Refusal("underpowered", _one_seed(question, pair, len(trained)), RECOMMENDED_SEEDS - 1)
    return None


def _one_seed(question: Question, pair: PairedScores, n_trained: int) -> str:
    """What two checkpoints of one seed each can tell: an item-paired interval, about these two alone."""
    differences = pair.differences()
    item_variance = float(differences.var(ddof=1)) / pair.n_observations
    delta = float(pair.arm.mean() - pair.versus.mean())
    nothing = SeedTerms(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    width = float(half_width(LEVEL, item_variance, pair.n_observations, nothing))
    flip = flipping_seed_sd(delta, item_variance, pair.n_observations, n_trained)
    return sentences.one_seed(question, delta, width, flip)


def _measure(pair: PairedScores, noise: SeedNoise, trained: list[str], question: Question) -> Measured:
    look, looks = question.look, question.looks
    differences = pair.differences()
    n_items = pair.n_observations
    item_variance = float(differences.var(ddof=1)) / n_items
    terms = noise.terms(trained, n_items)
    arms = [noise.arms[name] for name in trained]
    level, tied_level = (level_at(whole, look, looks) for whole in (LEVEL, TIED_LEVEL))
    own_widths: list[float | None] = [None, None]
    if arms and min(arm.seeds for arm in arms) > 1:
        own = noise.terms(trained, n_items, own=True)
        own_widths = [float(half_width(each, item_variance, n_items, own)) for each in (level, tied_level)]
    delta = float(pair.arm.mean() - pair.versus.mean())
    return Measured(
        p=spent_for(p_value(delta, item_variance, n_items, terms), look, looks),
        width=float(half_width(level, item_variance, n_items, terms)),
        width_90=float(half_width(tied_level, item_variance, n_items, terms)),
        widths={
            c: float(half_width(level_at(2 * (1 - c), look, looks), item_variance, n_items, terms)) for c in CONFIDENCES
        },
        own_width=own_widths[0],
        own_width_90=own_widths[1],
        detectable=detectable_effect(item_variance, n_items, terms, level),
        df=min((arm.df for arm in arms), default=None),
        seed_sd=max(0.0, float(np.mean([arm.excess for arm in arms]))) ** 0.5 if arms else None,
        precision=Precision(
            item_variance,
            n_items,
            terms,
            np.array([a.gated for a in arms], bool),
            len(noise.arms),
            level_at(LEVEL, looks, looks),  # what is planned for is the last look
        ),
        borrowed=any(arm.own_excess is None for arm in arms),
        same_seeds=_same_seeds(pair.arm) or _same_seeds(pair.versus),
    )


def _same_seeds(scores: FloatArray) -> bool:
    """Whether several seeds agree on every item though the items differ: replicates that are copies."""
    return len(scores) > 1 and bool((scores == scores[0]).all()) and bool(np.ptp(scores) > 0)

"""Seed variance of one benchmark: per-arm components, pooled over its arms, with the gate for odd arms.

Never pools across benchmarks, and never looks at which arm is better. Only the gate looks at all benchmarks: an arm
that is unstable is seldom so on one alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from assay_reporter.statistics.interval import SeedTerms
from assay_reporter.statistics.scores import RELATIVE_ROUNDING, ArmScores, FloatArray

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

GATE_LEVELS = (0.90, 0.85, 0.80)
"""Levels of the gate by what an arm shows of its seeds: one degree of freedom, two, more. Chosen by simulation: where
an arm has few seeds, its own variance costs most of the power, so that fewer arms are held apart."""
FEWEST_TOGETHER = 3
"""Benchmarks that can speak together of an arm; of two, the one on which it is odd would decide for the other."""


def seed_components(scores: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Variance of an arm's seed means, and the residual mean square of its seed × item table.

    scores: (..., S, I), S ≥ 2, I ≥ 2. Returns two arrays (...):
    v = Σ_s (ȳ_s − ȳ)² / (S − 1) and
    MS_res = Σ (y − ȳ_·i − ȳ_s· + ȳ)² / ((S − 1)(I − 1)),
    the mean squares of a two-way layout with one score per cell (Scheffé 1959, ch. 4). MS_res / I is the
    part of v that would be there without any effect of the seed on the expected score.
    """
    n_seeds, n_items = scores.shape[-2:]
    seed_means = scores.mean(axis=-1)
    deviations = seed_means - seed_means.mean(axis=-1, keepdims=True)
    residual = scores - scores.mean(axis=-2, keepdims=True) - deviations[..., None]
    rounding = (RELATIVE_ROUNDING * np.abs(scores).max(axis=(-2, -1))) ** 2
    v = (deviations**2).sum(axis=-1) / (n_seeds - 1)
    mean_square = np.einsum("...si,...si->...", residual, residual) / ((n_seeds - 1) * (n_items - 1))
    return np.where(v <= rounding, 0.0, v), np.where(mean_square <= rounding, 0.0, mean_square)


@dataclass(frozen=True, eq=False)
class PooledVariance:
    """Pooled over G arms: s² and df by arm (..., G), gated (..., G), σ̂² (...), ν."""

    s2: FloatArray
    df: FloatArray
    gated: BoolArray
    sigma2: FloatArray
    nu: int


def unstable(v: FloatArray, own_df: IntArray) -> BoolArray:
    """Whether an arm's seeds vary more than those of the other arms, over all B benchmarks together, (..., G).

    v: (..., B, G) variances of seed means; own_df: (B, G), S − 1, 0 where an arm has no replicates (v is not read).
    Each v is divided by the mean over its benchmark's arms; an arm is unstable where its mean over benchmarks is beyond
    F(S − 1, ν − S + 1) × that of the others (the F test of equal variances, Snedecor), at the level of GATE_LEVELS for
    Σ (S − 1) over benchmarks. Means are weighted by degrees of freedom; F has the fewest of any benchmark: the right
    point where a seed does the same on every benchmark, and where it does not, fewer arms are beyond it by chance and
    more of the unstable ones.
    """
    used = (own_df > 0) & (np.count_nonzero(own_df, axis=-1, keepdims=True) > 1)
    weights = np.where(used, own_df, 0)
    weighted = weights * np.where(used, v, 0.0)
    nu = weights.sum(axis=-1, keepdims=True)
    whole = weighted.sum(axis=-1, keepdims=True)
    share = (weighted * np.divide(nu, whole, out=np.zeros(whole.shape), where=whole > 0)).sum(axis=-2)
    own, most = weights.sum(axis=0), np.iinfo(np.int64).max
    fewest, others = (np.where(used, each, most).min(axis=0) for each in (own_df, nu - own_df))
    known = own > 0
    levels = np.array(GATE_LEVELS)[np.clip(own, 1, len(GATE_LEVELS)) - 1]
    bound = special.fdtri(np.where(known, fewest, 1), np.where(known, others, 1), levels)
    rest = share.sum(axis=-1, keepdims=True) - share
    above: BoolArray = known & (share * (own.sum() - own) > bound * rest * own * (1 + 1e-9))
    return above


def pool(v: FloatArray, c: FloatArray, seeds: IntArray, apart: BoolArray | None = None) -> PooledVariance:
    """Pool the seed variance of arms with at least two seeds.

    v, c: (..., G), c = MS_res / I; seeds: (G,). ν = Σ (S_g − 1); σ̂² = Σ (S_g − 1)(v_g − c_g) / ν, kept
    when negative (truncation would bias it upwards); s²_g = c_g + σ̂² with ν degrees of freedom. The gate: an arm
    that is `unstable` on this benchmark, or over all of them (apart: (..., G)), has s²_g = v_g, not below the pooled
    one, with its own S_g − 1. It stays in the others' σ̂²: without it they are too sure of themselves.
    """
    own_df = seeds - 1
    nu = int(own_df.sum())
    sigma2 = (own_df * (v - c)).sum(axis=-1) / nu
    gated = unstable(v[..., None, :], own_df[None])
    if apart is not None:
        gated = gated | apart
    pooled = c + sigma2[..., None]
    s2 = np.where(gated, np.maximum(v, pooled), pooled)
    df = np.where(gated, own_df, nu).astype(np.float64)
    return PooledVariance(s2, df, gated, sigma2, nu)


@dataclass(frozen=True)
class ArmNoise:
    """One trained arm's noise. residual: MS_res; excess: s² − c (may be negative); own_excess: v − c, for a gated arm
    its excess, None at one seed."""

    seeds: int
    residual: float
    excess: float
    df: float
    own_excess: float | None
    gated: bool


@dataclass(frozen=True)
class SeedNoise:
    """The noise of every trained arm of one benchmark; nu is 0 when no arm has two seeds."""

    arms: Mapping[str, ArmNoise]
    nu: int

    def terms(self, arms: list[str], n_items: int, *, own: bool = False) -> SeedTerms:
        """The seed part of an interval over n_items items; own=True uses each arm's own variance."""
        noise = [self.arms[arm] for arm in arms]
        c = np.array([each.residual / n_items for each in noise])
        excess = np.array([each.own_excess if own else each.excess for each in noise], dtype=np.float64)
        df = np.array([each.seeds - 1 if own else each.df for each in noise], dtype=np.float64)
        return SeedTerms(c + excess, c, df, np.array([each.seeds for each in noise]))


@dataclass(frozen=True, eq=False)
class SeedSpread:
    """How the seeds of one benchmark's trained arms differ: by arm with replicates v, MS_res, items and seeds (G,); and
    the arms with one seed."""

    arms: tuple[str, ...]
    single: tuple[str, ...]
    v: FloatArray
    residual: FloatArray
    items: IntArray
    seeds: IntArray


def measure_spread(arms: Mapping[str, ArmScores]) -> SeedSpread:
    """The spread of every trained arm's seeds (the placebo's replicates included).

    Each arm is taken on its own complete items, those of a cluster as one; one with an infinite score, or with fewer
    than two items, is left out.
    """
    complete = {name: arm.complete.observations for name, arm in arms.items() if arm.trained and arm.bounded}
    replicated = {name: scores for name, scores in complete.items() if min(scores.shape) > 1}
    parts = [seed_components(scores) for scores in replicated.values()]
    v, residual = (np.array([float(part[place]) for part in parts]) for place in (0, 1))
    seeds, items = (np.array([each.shape[axis] for each in replicated.values()], dtype=np.int64) for axis in (0, 1))
    single = tuple(name for name, scores in complete.items() if scores.shape[0] == 1)
    return SeedSpread(tuple(replicated), single, v, residual, items, seeds)


def unstable_arms(spreads: Sequence[SeedSpread]) -> frozenset[str]:
    """The arms whose seeds vary more than the others' over all benchmarks together; none where these are few."""
    names = list(dict.fromkeys(name for spread in spreads for name in spread.arms))
    if len(spreads) < FEWEST_TOGETHER or not names:
        return frozenset()
    v, own_df = np.zeros((len(spreads), len(names))), np.zeros((len(spreads), len(names)), dtype=np.int64)
    for row, spread in enumerate(spreads):
        columns = [names.index(name) for name in spread.arms]
        v[row, columns], own_df[row, columns] = spread.v, spread.seeds - 1
    return frozenset(name for name, above in zip(names, unstable(v, own_df), strict=True) if above)


def estimate_seed_noise(spread: SeedSpread, apart: Collection[str] = ()) -> SeedNoise:
    """Estimate the seed noise of a benchmark; `apart` are arms to take by their own variance.

    An arm with one seed takes the pooled c and σ̂². Empty with nu = 0 when no arm has two seeds and two items.
    """
    if not spread.arms:
        return SeedNoise({}, 0)
    c = spread.residual / spread.items
    pooled = pool(spread.v, c, spread.seeds, np.array([name in apart for name in spread.arms]))
    own = np.where(pooled.gated, pooled.s2, spread.v)
    noise = {
        name: ArmNoise(
            seeds=int(spread.seeds[g]),
            residual=float(spread.residual[g]),
            excess=float(pooled.s2[g] - c[g]),
            df=float(pooled.df[g]),
            own_excess=float(own[g] - c[g]),
            gated=bool(pooled.gated[g]),
        )
        for g, name in enumerate(spread.arms)
    }
    borrowed = float(((spread.seeds - 1) * spread.residual).sum() / pooled.nu)
    alone = ArmNoise(1, borrowed, float(pooled.sigma2), float(pooled.nu), None, gated=False)
    return SeedNoise(noise | dict.fromkeys(spread.single, alone), pooled.nu)

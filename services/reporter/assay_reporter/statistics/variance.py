"""Seed variance of one benchmark: per-arm components, pooled over its arms, with the gate for odd arms.

Never pools across benchmarks, and never looks at which arm is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from assay_reporter.statistics.interval import SeedTerms
from assay_reporter.statistics.scores import RELATIVE_ROUNDING, ArmScores, FloatArray

GATE_LEVEL = 0.95


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
    gated: npt.NDArray[np.bool_]
    sigma2: FloatArray
    nu: int


def pool(v: FloatArray, c: FloatArray, seeds: npt.NDArray[np.int64]) -> PooledVariance:
    """Pool the seed variance of arms with at least two seeds.

    v, c: (..., G), c = MS_res / I; seeds: (G,). ν = Σ (S_g − 1); σ̂² = Σ (S_g − 1)(v_g − c_g) / ν, kept
    when negative (truncation would bias it upwards); s²_g = c_g + σ̂² with ν degrees of freedom. The gate:
    an arm with v_g > F_.95(S_g − 1, ν − S_g + 1) × the df-weighted mean v of the others (the F test of
    equal variances, Snedecor) keeps s²_g = v_g with its own S_g − 1.
    """
    own_df = seeds - 1
    nu = int(own_df.sum())
    sigma2 = (own_df * (v - c)).sum(axis=-1) / nu
    others_df = nu - own_df
    if v.shape[-1] > 1:
        others = ((own_df * v).sum(axis=-1, keepdims=True) - own_df * v) / others_df
        gated = v > special.fdtri(own_df, others_df, GATE_LEVEL) * others * (1 + 1e-9)
    else:
        gated = np.zeros(v.shape, dtype=bool)
    s2 = np.where(gated, v, c + sigma2[..., None])
    df = np.where(gated, own_df, nu).astype(np.float64)
    return PooledVariance(s2, df, gated, sigma2, nu)


@dataclass(frozen=True)
class ArmNoise:
    """One trained arm's noise. residual: MS_res; excess: s² − c (may be negative); own_v: None at one seed."""

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


def estimate_seed_noise(arms: Mapping[str, ArmScores]) -> SeedNoise:
    """Estimate the seed noise of a benchmark from every trained arm (the placebo's replicates included).

    Each arm is taken on its own complete items, those of a cluster as one; one with an infinite score is left out. An
    arm with one
    seed takes the pooled c and σ̂². Empty with nu = 0 when no arm has two seeds and two items.
    """
    complete = {name: arm.complete.observations for name, arm in arms.items() if arm.trained and arm.bounded}
    replicated = {name: scores for name, scores in complete.items() if min(scores.shape) > 1}
    if not replicated:
        return SeedNoise({}, 0)
    seeds, items = (np.array([scores.shape[axis] for scores in replicated.values()]) for axis in (0, 1))
    parts = [seed_components(scores) for scores in replicated.values()]
    v = np.array([float(part[0]) for part in parts])
    residual = np.array([float(part[1]) for part in parts])
    pooled = pool(v, residual / items, seeds)
    noise = {
        name: ArmNoise(
            seeds=int(seeds[g]),
            residual=float(residual[g]),
            excess=float(pooled.s2[g] - residual[g] / items[g]),
            df=float(pooled.df[g]),
            own_excess=float(v[g] - residual[g] / items[g]),
            gated=bool(pooled.gated[g]),
        )
        for g, name in enumerate(replicated)
    }
    borrowed = float(((seeds - 1) * residual).sum() / pooled.nu)
    for name, scores in complete.items():
        if scores.shape[0] == 1:
            noise[name] = ArmNoise(1, borrowed, float(pooled.sigma2), float(pooled.nu), None, False)
    return SeedNoise(noise, pooled.nu)

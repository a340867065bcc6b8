"""Interval and p-value of a difference whose noise has a part from items and a part from training seeds.

Pure formulas on arrays; never decides what a difference means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from assay_reporter.statistics.scores import FloatArray

LEVEL = 0.05
TIED_LEVEL = 0.10
POWER = 0.80
SMALLEST_P = 1e-100
PARTS, CUTS = 32, 8


@dataclass(frozen=True, eq=False)
class SeedTerms:
    """The m trained arms of a pair (m = 0 for two fixed models).

    s2, c, df: (..., m): variance of a seed mean, its part from the seed × item residual, its degrees of
    freedom. seeds: (m,).
    """

    s2: FloatArray
    c: FloatArray
    df: FloatArray
    seeds: npt.NDArray[np.int64]


def t_squared(alpha: FloatArray | float, df: FloatArray | float) -> FloatArray:
    """Square of the two-sided critical value of Student's t."""
    quantile = np.asarray(special.stdtrit(np.asarray(df, dtype=np.float64), alpha / 2), dtype=np.float64)
    return np.square(quantile)


def half_width(
    alpha: FloatArray | float, item_variance: FloatArray | float, n_items: int, terms: SeedTerms
) -> FloatArray:
    """Half-width of the 1 − alpha interval, shape (...).

    half-width² = t²_{I−1} V + Σ_g max(0, t²_{df_g} s²_g − t²_{I−1} c_g) / S_g, with V = var(d_i) / I. Each
    variance is multiplied by its own squared t (Banerjee 1960, Sankhyā 22; 1961); c_g is taken out because V
    holds it already. n_items ≥ 2.
    """
    each = np.asarray(alpha, dtype=np.float64)[..., None]
    item_t2 = t_squared(each, n_items - 1)
    seed_part = np.maximum(0.0, t_squared(each, terms.df) * terms.s2 - item_t2 * terms.c) / terms.seeds
    return np.asarray(np.sqrt(item_t2[..., 0] * item_variance + seed_part.sum(axis=-1)), dtype=np.float64)


def p_value(delta: float, item_variance: float, n_items: int, terms: SeedTerms) -> float:
    """The alpha at which the half-width equals |delta|; 1 for no difference, 0 below 1e-100.

    At most .05 exactly when the 95 % interval excludes 0. Found by cutting the range of log alpha, along which the
    width falls, into 32 parts eight times. (SciPy's solvers take a third of a second to import.)
    """
    size = abs(delta)
    if size == 0.0:
        return 1.0
    if float(half_width(SMALLEST_P, item_variance, n_items, terms)) <= size:
        return 0.0
    open_ = float(half_width(LEVEL, item_variance, n_items, terms)) >= size
    low, high = (np.log(LEVEL), 0.0) if open_ else (np.log(SMALLEST_P), np.log(LEVEL))
    for _ in range(CUTS):
        grid = np.linspace(low, high, PARTS + 1)
        wider = half_width(np.exp(grid[1:-1]), item_variance, n_items, terms) >= size
        part = int(wider.sum())
        low, high = grid[part], grid[part + 1]
    return float(np.exp(high if open_ else low))


def standard_error(item_variance: float, n_items: int, terms: SeedTerms) -> tuple[float, float]:
    """Standard error of the difference and its effective degrees of freedom (Satterthwaite 1946, eq. 17).

    variance = V + Σ (s²_g − c_g) / S_g (not below V's or the seeds' own part); df = variance² /
    (V² / (I − 1) + Σ (s²_g / S_g)² / df_g).
    """
    seed_part = np.maximum(0.0, terms.s2 - terms.c) / terms.seeds
    variance = item_variance + float(seed_part.sum())
    spread = item_variance**2 / (n_items - 1) + float(((terms.s2 / terms.seeds) ** 2 / terms.df).sum())
    df = variance**2 / spread if spread > 0 else float(n_items - 1)
    return float(np.sqrt(variance)), max(1.0, df)


def detectable_effect(item_variance: float, n_items: int, terms: SeedTerms, level: float = LEVEL) -> float:
    """The true difference that the uncorrected 1 − level interval excludes from 0 with about 80 % power.

    half-width + t_.80(df) × standard error, df by Satterthwaite: the usual (t_{α/2} + t_β) × SE (Lehr 1992)
    with Banerjee's width in the place of its first term.
    """
    error, df = standard_error(item_variance, n_items, terms)
    width = float(half_width(level, item_variance, n_items, terms))
    return width + float(special.stdtrit(df, POWER)) * error

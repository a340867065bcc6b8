"""What would settle an open question: seeds or items to add, and what one seed can and cannot say.

Plans once, from an upper limit of the seed variance; never "add seeds until it is significant".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from assay_reporter.statistics.interval import LEVEL, SeedTerms, half_width, t_squared
from assay_reporter.statistics.scores import FloatArray

UPPER_LIMIT = 0.80
MOST_SEEDS = 100
MOST_ITEMS = 10_000_000


@dataclass(frozen=True)
class Plan:
    """Seeds to add to each trained arm, items to add to the benchmark; None where adding would not do."""

    more_seeds: int | None
    more_items: int | None


@dataclass(frozen=True, eq=False)
class Precision:
    """What is known of a comparison's noise: V, I, the pair's terms, which arms the gate holds apart (m,),
    and the number K of trained arms of the benchmark; the level of one look's interval."""

    item_variance: float
    n_items: int
    terms: SeedTerms
    gated: npt.NDArray[np.bool_]
    n_arms: int
    level: float = LEVEL

    def residual(self) -> FloatArray:
        """MS_res by trained arm of the pair, (m,)."""
        return self.terms.c * self.n_items

    def between_items(self) -> float:
        """σ²_b = max(0, I·V − Σ MS_res / S): variance of the true item differences."""
        return max(0.0, self.n_items * self.item_variance - float((self.residual() / self.terms.seeds).sum()))

    def seed_variance_limit(self) -> FloatArray:
        """Upper 80 % limit of the seed variance (m,): df s² / χ²_.20(df) − c (chi-square limit)."""
        limit = self.terms.df * self.terms.s2 / special.chdtri(self.terms.df, UPPER_LIMIT)
        return np.asarray(np.maximum(0.0, limit - self.terms.c), dtype=np.float64)

    def with_seeds(self, seeds: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Seeds and degrees of freedom (m,) once every arm has that many: K(S′ − 1), a gated arm's S′ − 1."""
        df = np.where(self.gated, seeds - 1, self.n_arms * (seeds - 1)).astype(np.float64)
        return np.full(self.gated.shape, seeds), df

    def expected_half_width(self, seeds: npt.NDArray[np.int64], df: FloatArray, n_items: int) -> float:
        """The half-width to expect: V′ = (σ²_b + Σ MS_res / S′) / I′, seed variance at its limit."""
        item_variance = (self.between_items() + float((self.residual() / seeds).sum())) / n_items
        c = self.residual() / n_items
        terms = SeedTerms(c + self.seed_variance_limit(), c, df, seeds)
        return float(half_width(self.level, item_variance, n_items, terms))


def plan_more(precision: Precision, smallest_effect: float) -> Plan:
    """The fewest seeds (or, where items alone are the limit, items) for a half-width ≤ smallest_effect.

    (0, 0) when it is that narrow already; (None, None) when no plan within reach would do.
    """
    if smallest_effect <= 0:
        return Plan(None, None)
    now = float(half_width(precision.level, precision.item_variance, precision.n_items, precision.terms))
    if now <= smallest_effect:
        return Plan(0, 0)
    fewest = int(precision.terms.seeds.min(initial=MOST_SEEDS))
    seeds = _enough_seeds(precision, smallest_effect, precision.n_items, fewest)
    if seeds is not None:
        return Plan(seeds - fewest, 0)
    items = _enough_items(
        lambda n: precision.expected_half_width(precision.terms.seeds, precision.terms.df, n),
        smallest_effect,
        precision.n_items,
    )
    return Plan(0, items - precision.n_items) if items else _more_of_both(precision, smallest_effect, fewest)


def _more_of_both(precision: Precision, smallest_effect: float, fewest: int) -> Plan:
    """Items for which their part alone is half of the target's square, then the seeds for the rest."""
    between = precision.between_items()
    items = _enough_items(
        lambda n: float(np.sqrt(t_squared(precision.level, n - 1) * between / n)),
        smallest_effect / np.sqrt(2),
        precision.n_items,
    )
    seeds = _enough_seeds(precision, smallest_effect, items, fewest) if items else None
    return Plan(None, None) if items is None or seeds is None else Plan(seeds - fewest, items - precision.n_items)


def _enough_seeds(precision: Precision, target: float, n_items: int, fewest: int) -> int | None:
    def width(seeds: int) -> float:
        return precision.expected_half_width(*precision.with_seeds(seeds), n_items)

    return _fewest(width, target, max(2, fewest), MOST_SEEDS)


def _enough_items(width: Callable[[int], float], target: float, n_items: int) -> int | None:
    return _fewest(width, target, n_items, MOST_ITEMS)


def _fewest(width: Callable[[int], float], target: float, least: int, most: int) -> int | None:
    """The fewest number from least to most whose width, which falls with it, is at most target; by bisection."""
    if least > most or width(most) > target:
        return None
    low, high = least - 1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if width(middle) <= target else (middle, high)
    return high


def flipping_seed_sd(delta: float, item_variance: float, n_items: int, n_trained: int) -> float:
    """With one seed: the seed sd above which "the data differ" would no longer follow from delta.

    Solves |delta|² = t²_{I−1} V + z²_.975 m σ² for σ, m trained arms of one seed, σ taken as known; 0 when
    the items alone do not tell the two checkpoints apart.
    """
    left = delta**2 - float(t_squared(LEVEL, n_items - 1)) * item_variance
    return float(np.sqrt(max(0.0, left) / n_trained) / special.ndtri(1 - LEVEL / 2))

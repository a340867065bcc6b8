"""The index of spurious correlation: what a reward model keeps once its rows' true signal is taken away.

Numbers in, numbers out; which arms are compared is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CHANCE = 0.5
DRAWS = 20_000
LEVEL = 0.95
SEED = 20_240_229
LEAST_ABOVE_CHANCE = 0.02
MOST_KEPT = 2.0
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """Accuracies of an arm's replicates on pairs (chance ½), each over the same `items`."""

    seeds: tuple[float, ...]
    items: int

    @property
    def mean(self) -> float:
        return float(np.mean(self.seeds))


@dataclass(frozen=True)
class Index:
    """Shares of the untouched arm's advantage over chance that the intervened arm keeps; `value` is validation's less
    the external benchmark's; intervals 95 %. `external_learned` False: the untouched arm itself is not above chance
    on the external benchmark, so that nothing there could be kept (0)."""

    validation_kept: float
    external_kept: float
    value: float
    interval: tuple[float, float]
    external_learned: bool


def spurious_index(validation: tuple[Accuracy, Accuracy], external: tuple[Accuracy, Accuracy]) -> Index | None:
    """(untouched, intervened) on held-out rows of the same kind, and on an external benchmark.

    kept = (a_intervened − ½) / (a_untouched − ½), cut to [0, 2]. The interval: percentiles of the index over draws of
    each mean (parametric bootstrap, Efron & Tibshirani 1993, ch. 6.5): Student's t with the arm's own S − 1 degrees of
    freedom for s²/S, the spread of its seeds, and a normal one for a(1 − a)/n, that of the items; seeds and items as if
    independent, which makes it wider, not narrower. None where the untouched arm learned nothing on held-out rows:
    then there is nothing to keep.
    """
    random = np.random.default_rng(SEED)
    drawn = [_draws(one, random) for one in (*validation, *external)]
    if not _above_chance(drawn[0]):
        return None
    learned = _above_chance(drawn[2])
    kept = _kept(drawn[0], drawn[1])
    outside = _kept(drawn[2], drawn[3]) if learned else np.zeros(DRAWS)
    low, high = np.quantile(kept - outside, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    inside_mean = _kept(*(np.array([one.mean]) for one in validation))[0]
    outside_mean = _kept(*(np.array([one.mean]) for one in external))[0] if learned else 0.0
    return Index(
        validation_kept=float(inside_mean),
        external_kept=float(outside_mean),
        value=float(inside_mean - outside_mean),
        interval=(float(low), float(high)),
        external_learned=learned,
    )


def _draws(accuracy: Accuracy, random: np.random.Generator) -> FloatArray:
    """Draws of an arm's expected accuracy; one seed alone lends no spread of its own."""
    seeds = np.asarray(accuracy.seeds)
    count = len(seeds)
    mean = float(seeds.mean())
    between = float(seeds.var(ddof=1)) / count if count > 1 else 0.0
    within = max(mean * (1 - mean), 1 / (4 * accuracy.items)) / accuracy.items
    t = random.standard_t(max(1, count - 1), DRAWS) if between > 0 else 0.0
    return np.asarray(mean + t * between**0.5 + random.standard_normal(DRAWS) * within**0.5, dtype=np.float64)


def _above_chance(draws: FloatArray) -> bool:
    """Whether the accuracy is above chance by more than its own uncertainty."""
    return bool(np.quantile(draws, (1 - LEVEL) / 2) > CHANCE)


def _kept(untouched: FloatArray, intervened: FloatArray) -> FloatArray:
    base = np.maximum(untouched - CHANCE, LEAST_ABOVE_CHANCE)
    return np.clip((intervened - CHANCE) / base, 0.0, MOST_KEPT)

"""Scores of one benchmark by arm, seed and item, and their join by stable item id.

Never joins by row position, never fills in a missing score: what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
from assay_schemas.experiments import CONTROL

FloatArray = npt.NDArray[np.float64]

RELATIVE_ROUNDING = 1e-12
"""Differences below this share of the largest score are rounding, not differences."""

LARGEST_SCORE = 1e50
"""Scores from here on, infinity among them, have no mean worth the name."""


def cluster_totals(scores: FloatArray, items: Sequence[str], clusters: Mapping[str, str]) -> FloatArray:
    """Scores (S, I) of items as scores (S, C) of their clusters; an item that is in none is one by itself.

    x_c = (C / I) Σ_{i in c} y_i: the estimator from totals of clusters of unequal sizes (Cochran 1977, Sampling
    Techniques, section 9A.1). Its mean over clusters is the mean over items, and the variance of its differences over
    clusters is, where there is no difference, that of cluster-robust standard errors (Liang and Zeger 1986).
    """
    places: dict[tuple[bool, str], int] = {}
    of_item = [places.setdefault((item in clusters, clusters.get(item, item)), len(places)) for item in items]
    if len(places) == len(items):
        return scores
    columns, share = np.array(of_item), len(places) / len(items)
    totals = np.zeros((len(scores), len(places)))
    for total, row in zip(totals, scores, strict=True):
        total += share * np.bincount(columns, weights=row, minlength=len(places))
    return totals


@dataclass(frozen=True, eq=False)
class ArmScores:
    """One arm's scores on one benchmark.

    items: I stable item ids, each once. scores: array (S, I), one row per seed; NaN = the item failed.
    trained: False for control and reference arms: one fixed model, one row, no seed variance.
    clusters: by item id, what an item hangs together with; the items of a cluster are one observation.
    Raises ValueError where the shapes do not agree.
    """

    items: tuple[str, ...]
    scores: FloatArray
    trained: bool = True
    clusters: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scores = np.asarray(self.scores, dtype=np.float64)
        object.__setattr__(self, "items", tuple(self.items))
        object.__setattr__(self, "scores", scores)
        if scores.ndim != 2 or scores.shape[1] != len(self.items):
            raise ValueError(f"scores: shape {scores.shape} must be (seeds, {len(self.items)}), one column per item")
        if len(set(self.items)) != len(self.items):
            raise ValueError("items: an item id occurs twice; average an item's samples first")
        if not self.trained and scores.shape[0] > 1:
            raise ValueError("scores: a fixed model has one row; use trained=True for several seeds")

    @property
    def seeds(self) -> int:
        """Replicates S; for a fixed model 1 (or 0 when it has no scores)."""
        return int(self.scores.shape[0])

    @property
    def bounded(self) -> bool:
        """Whether every score that is there is finite and below LARGEST_SCORE in size."""
        return bool(np.abs(self.scores[~np.isnan(self.scores)]).max(initial=0.0) < LARGEST_SCORE)

    @cached_property
    def complete(self) -> ArmScores:
        """The items scored in every seed; inf is a score (and will be refused by name), NaN is not."""
        failed = np.isnan(self.scores).any(axis=0) | (self.seeds == 0)
        if not failed.any():
            return self
        return self.at(np.flatnonzero(~failed))

    def at(self, places: Sequence[int] | npt.NDArray[np.intp]) -> ArmScores:
        """The items at these places alone."""
        items = tuple(self.items[place] for place in places)
        return ArmScores(items, self.scores[:, places], self.trained, self.clusters)

    @property
    def observations(self) -> FloatArray:
        """The scores (S, C) of what is independent of each other: an item, or a cluster of items."""
        return cluster_totals(self.scores, self.items, self.clusters)

    def mean(self) -> float | None:
        """Mean of the scores that are there, or None when none is."""
        scored = self.scores[np.isfinite(self.scores)]
        return float(scored.mean()) if scored.size else None


@dataclass(frozen=True, eq=False)
class BenchmarkScores:
    """Every arm's scores on one benchmark.

    arms: by name, in the experiment's order, control and placebo included. proportion: scores are shares
    of 1 (accuracy, pass rate), printed as points; otherwise printed in the metric's own unit.
    higher_is_better: False for perplexity, bits per byte, loss. Raises ValueError where control is trained.
    """

    benchmark: str
    arms: Mapping[str, ArmScores] = field(default_factory=dict)
    higher_is_better: bool = True
    proportion: bool = True

    def __post_init__(self) -> None:
        if CONTROL in self.arms and self.arms[CONTROL].trained:
            raise ValueError("control: it is one fixed model; give its scores with trained=False")


@dataclass(frozen=True, eq=False)
class PairedScores:
    """Two arms on the items both have: arm (S_a, C), versus (S_b, C), a column for each independent observation of
    the n_items in the join; n_dropped items of either left out."""

    arm: FloatArray
    versus: FloatArray
    n_items: int
    n_dropped: int

    @property
    def n_observations(self) -> int:
        """C: items, or clusters of them."""
        return int(self.arm.shape[1])

    def differences(self) -> FloatArray:
        """d_c, shape (C,): the observation's mean over seeds of arm minus that of versus; rounding set to 0."""
        difference = self.arm.mean(axis=0) - self.versus.mean(axis=0)
        return np.where(np.abs(difference) <= RELATIVE_ROUNDING * self.scale(), 0.0, difference)

    def scale(self) -> float:
        """The largest absolute score of the pair."""
        return float(max(np.abs(self.arm).max(initial=1e-80), np.abs(self.versus).max(initial=1e-80)))


def pair_scores(arm: ArmScores, versus: ArmScores) -> PairedScores:
    """Join two arms by item id on the items that both have scored in every seed."""
    left, right = arm.complete, versus.complete
    if left.items == right.items and left is arm and right is versus:
        return PairedScores(left.observations, right.observations, len(left.items), 0)
    column = {item: index for index, item in enumerate(right.items)}
    shared = [(index, column[item]) for index, item in enumerate(left.items) if item in column]
    left, right = left.at([index for index, _ in shared]), right.at([index for _, index in shared])
    dropped = len(set(arm.items) | set(versus.items)) - len(shared)
    return PairedScores(left.observations, right.observations, len(shared), dropped)


def average_samples(
    evaluations: Iterable[tuple[int, Sequence[str], FloatArray]],
    *,
    trained: bool = True,
    clusters: Mapping[str, str] | None = None,
) -> ArmScores:
    """Make an arm's scores from its evaluations (seed, item ids, scores), averaging an item's several samples first.

    Several samples of one question are one item; `clusters` says which items hang together. An item with a failed
    (NaN) sample, or without any in some seed, has failed in that seed: the rest would not be a fair mean.
    """
    listed = list(evaluations)
    seeds = sorted({seed for seed, _, _ in listed})
    items: dict[str, None] = {}
    for _, ids, _ in listed:
        items.update(dict.fromkeys(ids))
    column_of = {item: column for column, item in enumerate(items)}
    each_once = [*items]
    sums, counts = (np.zeros((len(seeds), len(items))) for _ in range(2))
    for seed, ids, scores in listed:
        row = seeds.index(seed)
        if ids == each_once:
            sums[row] += scores
            counts[row] += 1
            continue
        columns = [column_of[item] for item in ids]
        np.add.at(sums[row], columns, scores)
        np.add.at(counts[row], columns, 1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return ArmScores(tuple(items), means, trained, clusters or {})

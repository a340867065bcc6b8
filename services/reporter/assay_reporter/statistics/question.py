"""What one comparison asks, and how much data there is to answer it."""

from __future__ import annotations

from dataclasses import dataclass

from assay_reporter.statistics.comparison import Family


@dataclass(frozen=True)
class Question:
    """What is asked: does arm differ from versus on this benchmark, by at least smallest_effect?"""

    arm: str
    versus: str
    benchmark: str
    family: Family
    smallest_effect: float
    higher_is_better: bool = True
    proportion: bool = True
    look: int = 1
    looks: int = 1
    """Which of how many declared looks this is: each has a part of the level, so that all of them together keep it."""


@dataclass(frozen=True)
class Counts:
    """How much data stands behind a comparison; seeds 0 for a fixed model.

    n_observations: items that are independent of each other, a cluster of items being one; n_differing is of these.
    """

    n_items: int
    n_observations: int
    n_dropped: int
    n_differing: int
    seeds: int
    versus_seeds: int

    @property
    def clustered(self) -> bool:
        """Whether some items hang together."""
        return self.n_observations < self.n_items

    def items_for(self, observations: int | None) -> int | None:
        """Items that so many observations would be, of as many items each as those that are there."""
        if observations is None or not self.clustered:
            return observations
        return -(-observations * self.n_items // self.n_observations)

"""The difference between two arms taken apart by cause: every flip of a response is looked at again.

The parts add up to the difference over the items that both have; never a number of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from assay_reporter.diagnosis.causes import CAUSES, Cause, cause_of
from assay_reporter.diagnosis.columns import Column

MOST_FLIPS = 300
"""Flips looked at for one arm and benchmark; of more, an evenly spaced part, weighted up (and said so)."""


@dataclass
class Decomposition:
    """`lost`, `won`: by cause, in shares of 1 of all responses compared; `lost` is what the arm's wrong responses
    cost it, `won` what control's wrong ones cost control. `flips` of `looked_at`; strict and lenient differences."""

    lost: dict[Cause, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    won: dict[Cause, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    responses: int = 0
    flips: int = 0
    looked_at: int = 0

    @property
    def strict(self) -> float:
        """The difference as scored: what was won less what was lost."""
        return sum(self.won.values()) - sum(self.lost.values())

    @property
    def lenient(self) -> float:
        """The difference once every response that holds the right answer counts, whatever its form."""
        return self.strict + self.lost["format"] - self.won["format"]

    def part(self, cause: Cause) -> float:
        """One cause's part of the difference; negative where the arm loses by it."""
        return self.won[cause] - self.lost[cause]


def decompose(control: Column, replicates: Sequence[Column]) -> Decomposition:
    """An arm's replicates against control, response by response (joined by item and sample)."""
    found = Decomposition()
    flips: list[tuple[Column, int, int, float]] = []
    for replicate in replicates:
        for key, row in replicate.place.items():
            base = control.place.get(key)
            if base is None:
                continue
            change = replicate.scores[row] - control.scores[base]
            if np.isnan(change):
                continue
            found.responses += 1
            if change:
                flips.append((replicate, row, base, float(change)))
    found.flips = len(flips)
    chosen = flips[:: -(-len(flips) // MOST_FLIPS)] if flips else []
    found.looked_at = len(chosen)
    weight = len(flips) / max(1, len(chosen)) / max(1, found.responses)
    for replicate, row, base, change in chosen:
        if change < 0:
            cause = cause_of(replicate.response(row, control.text("response", base)))
            found.lost[cause] -= change * weight
        else:
            cause = cause_of(control.response(base, replicate.text("response", row)))
            found.won[cause] += change * weight
    return found

"""What reports of simulated experiments would say: every arm against control, corrected by Holm over all of them.

Never simulates scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from assay_reporter.statistics.interval import LEVEL, half_width

from benchmarks.verdict_calibration import Experiments, compare

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reported:
    """Counts over experiments: comparisons with control of which a verdict may be given, those called better or worse,
    experiments, and those in which any is."""

    given: int = 0
    called: int = 0
    experiments: int = 0
    any_called: int = 0

    def __add__(self, other: Reported) -> Reported:
        return Reported(
            self.given + other.given,
            self.called + other.called,
            self.experiments + other.experiments,
            self.any_called + other.any_called,
        )


def holm_rejects(below: npt.NDArray[Any]) -> BoolArray:
    """Which of n hypotheses Holm's step-down procedure (1979) rejects, without their p-values.

    below: (n, ..., n), whether a hypothesis (last axis) has p ≤ α / n, α / (n − 1), …, α (first axis). The k-th step is
    passed where at least k hypotheses are below its level; those below the level of the last step passed in succession
    are rejected, (..., n).
    """
    steps = np.arange(1, len(below) + 1).reshape(-1, *[1] * (below.ndim - 2))
    passed = np.logical_and.accumulate(below.sum(axis=-1) >= steps, axis=0).sum(axis=0)
    last = np.maximum(passed - 1, 0)[None, ..., None]
    rejected: BoolArray = np.take_along_axis(below.astype(bool), last, axis=0)[0] & (passed > 0)[..., None]
    return rejected


def report(chunk: Experiments, benchmarks: int) -> Reported:
    """What the reports say, where each `benchmarks` rows in succession are one experiment. A comparison of which no
    verdict may be given counts in its family as in a report, with p = 1."""
    arms, rows = chunk.cell.arms, len(chunk.arms)
    family = arms * benchmarks
    levels = LEVEL / np.arange(family, 0, -1)[:, None]
    below = np.empty((family, rows, arms), dtype=bool)
    given = 0
    for arm in range(arms):
        pair = compare(chunk, arm, None)
        widths = half_width(levels, pair.item_variance, chunk.cell.items, pair.terms)
        below[:, :, arm] = pair.given & (np.abs(pair.delta) > widths)
        given += int(pair.given.sum())
    rejected = holm_rejects(below.reshape(family, rows // benchmarks, family))
    return Reported(given, int(rejected.sum()), len(rejected), int(rejected.any(axis=-1).sum()))

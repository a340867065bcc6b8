"""Several rewards as one: the weighted sum, where a sample that any of them fails on has no score.

Counts and logs failures; never lets one end the run.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from assay_trainer.rewards.base import Failure, Reward, Score, Scored

log = logging.getLogger(__name__)
LOGGED = 3


class WeightedRewards:
    """`failures` counts the samples without a score since the start."""

    def __init__(self, rewards: Sequence[tuple[float, Reward]]) -> None:
        self._rewards = list(rewards)
        self.failures = 0

    def __call__(self, samples: Sequence[Scored]) -> list[float | None]:
        """Each sample's reward; None where one of the rewards failed."""
        scores = [_scores(reward, samples) for _, reward in self._rewards]
        summed = [self._sum(parts) for parts in zip(*scores, strict=True)]
        failed = [(sample, score) for sample, score in zip(samples, summed, strict=True) if isinstance(score, Failure)]
        self.failures += len(failed)
        for sample, failure in failed[:LOGGED]:
            log.warning("row %s: no reward, its sample is left out (%s)", sample.row_id, failure.reason)
        if len(failed) > LOGGED:
            log.warning("%d more samples of this step have no reward", len(failed) - LOGGED)
        return [None if isinstance(score, Failure) else score for score in summed]

    def _sum(self, parts: Sequence[Score]) -> Score:
        total = 0.0
        for (weight, _), part in zip(self._rewards, parts, strict=True):
            if isinstance(part, Failure):
                return part
            total += weight * part
        return total if math.isfinite(total) else Failure(f"the reward is {total}")

    def close(self) -> None:
        for _, reward in self._rewards:
            reward.close()


def _scores(reward: Reward, samples: Sequence[Scored]) -> list[Score]:
    try:
        return reward(samples)
    except (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError, OSError) as error:
        log.exception("a reward failed on a whole batch")
        return [Failure(f"{type(error).__name__}: {error}")] * len(samples)

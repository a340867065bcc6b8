"""Which checkpoint stands for a training run, as a function of its checkpoints' losses or scores.

Pure: never reads a manifest, and never looks at an item that is reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay_schemas.artifacts import CheckpointRef
from assay_schemas.experiments import SelectionPolicy
from assay_schemas.results import SavedCheckpoint


@dataclass(frozen=True)
class Choice:
    """The checkpoint chosen, every candidate's score by step (None: unknown), and why in words."""

    checkpoint: CheckpointRef
    scores: dict[int, float | None]
    reason: str


def choose(policy: SelectionPolicy, checkpoints: Sequence[SavedCheckpoint]) -> Choice:
    """The checkpoint that `last` or `best_validation` prefers; best_benchmark has to ask the models first.

    `last` takes the highest step. `best_validation` takes the lowest validation loss, and of equal ones
    the earliest step; a loss that is missing or not finite never wins. Where no checkpoint has a loss
    there is nothing to compare, so the last stands, and the reason says so.
    """
    scores = {saved.checkpoint.step: _finite(saved.validation_loss) for saved in checkpoints}
    last = max((saved.checkpoint for saved in checkpoints), key=lambda checkpoint: checkpoint.step)
    if policy == "last":
        return Choice(last, scores, f"the last checkpoint, at step {last.step}")
    known = [(loss, saved.checkpoint) for saved in checkpoints if (loss := scores[saved.checkpoint.step]) is not None]
    if not known:
        return Choice(last, scores, f"no checkpoint has a validation loss, so the last one stands, at step {last.step}")
    return _best(known, scores, "the lowest of", "validation losses")


def best_scored(
    checkpoints: Sequence[CheckpointRef], scores: Mapping[int, float | None], metric: str, *, higher_is_better: bool
) -> Choice:
    """The checkpoint with the best score by step, and of equal ones the earliest. Raises ValueError where none has
    a score."""
    sign = -1.0 if higher_is_better else 1.0
    kept = {checkpoint.step: _finite(scores.get(checkpoint.step)) for checkpoint in checkpoints}
    known = [(sign * score, one) for one in checkpoints if (score := kept[one.step]) is not None]
    if not known:
        raise ValueError("no checkpoint has a score")
    return _best(known, kept, "the highest of" if higher_is_better else "the lowest of", f"values of {metric}")


def _best(
    known: Sequence[tuple[float, CheckpointRef]], scores: dict[int, float | None], which: str, what: str
) -> Choice:
    """The least of the known values, the earliest of equal ones."""
    least, best = min(known, key=lambda candidate: (candidate[0], candidate[1].step))
    ties = sum(1 for other, _ in known if other == least)
    reason = f"{which} {len(known)} {what}, {scores[best.step]:.6g}, at step {best.step}"
    return Choice(best, scores, reason + (f"; the earliest of {ties} that are equal" if ties > 1 else ""))


def _finite(loss: float | None) -> float | None:
    return loss if loss is not None and math.isfinite(loss) else None

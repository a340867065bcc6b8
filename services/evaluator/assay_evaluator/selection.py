"""Which checkpoint stands for a training run, as a function of its checkpoints' validation losses.

Pure: never reads a manifest, and never looks at an item that is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from assay_schemas.artifacts import CheckpointRef
from assay_schemas.experiments import SelectionPolicy
from assay_schemas.results import SavedCheckpoint


class PolicyUnavailable(ValueError):
    """The selection policy needs something that is not there yet."""


@dataclass(frozen=True)
class Choice:
    """The checkpoint chosen, every candidate's score by step (None: unknown), and why in words."""

    checkpoint: CheckpointRef
    scores: dict[int, float | None]
    reason: str


def choose(policy: SelectionPolicy, checkpoints: Sequence[SavedCheckpoint]) -> Choice:
    """The checkpoint the policy prefers. Raises PolicyUnavailable for policies other than these two.

    `last` takes the highest step. `best_validation` takes the lowest validation loss, and of equal ones
    the earliest step; a loss that is missing or not finite never wins. Where no checkpoint has a loss
    there is nothing to compare, so the last stands, and the reason says so.
    """
    scores = {saved.checkpoint.step: _finite(saved.validation_loss) for saved in checkpoints}
    last = max((saved.checkpoint for saved in checkpoints), key=lambda checkpoint: checkpoint.step)
    if policy == "last":
        return Choice(last, scores, f"the last checkpoint, at step {last.step}")
    if policy != "best_validation":
        raise PolicyUnavailable(f"inputs.policy: {policy!r} is not available yet; use last or best_validation")
    known = [(loss, saved.checkpoint) for saved in checkpoints if (loss := scores[saved.checkpoint.step]) is not None]
    if not known:
        return Choice(last, scores, f"no checkpoint has a validation loss, so the last one stands, at step {last.step}")
    loss, best = min(known, key=lambda candidate: (candidate[0], candidate[1].step))
    ties = sum(1 for other, _ in known if other == loss)
    reason = f"the lowest of {len(known)} validation losses, {loss:.6g}, at step {best.step}"
    return Choice(best, scores, reason + (f"; the earliest of {ties} that are equal" if ties > 1 else ""))


def _finite(loss: float | None) -> float | None:
    return loss if loss is not None and math.isfinite(loss) else None

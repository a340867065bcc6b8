"""Preference rows as pairs of documents: the prompt with the chosen answer, and with the rejected one.

Both answers start after the same tokens of the prompt. Never knows a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay_schemas.algorithms import Hyperparameters
from torch import Tensor

from assay_trainer.algorithms.base import Example
from assay_trainer.data.documents import Document, document
from assay_trainer.data.messages import encode_rows
from assay_trainer.data.rows import Row


@dataclass(frozen=True)
class Pair(Example):
    """Two documents; `weight` is 1, or 0 where nothing tells them apart within the length policy."""

    chosen: Document
    rejected: Document

    @property
    def lengths(self) -> tuple[int, ...]:
        return (self.chosen.length, self.rejected.length)


def encode_pairs(rows: Sequence[Row], tokenizer: Any, hyperparameters: Hyperparameters) -> list[Pair]:
    """Raises BadInput naming line and column where a row is no pair of texts or conversations."""
    chosen = encode_rows(rows, tokenizer, "completion", column="chosen")
    rejected = encode_rows(rows, tokenizer, "completion", column="rejected")
    pairs = []
    for row, (first, first_learned), (second, second_learned) in zip(rows, chosen, rejected, strict=True):
        start = min(_first(first_learned), _first(second_learned))
        limit = hyperparameters.max_length
        pairs.append(
            _pair(
                row,
                document(first, [learned or at >= start for at, learned in enumerate(first_learned)], limit),
                document(second, [learned or at >= start for at, learned in enumerate(second_learned)], limit),
                drop=hyperparameters.overlong == "drop",
            )
        )
    return pairs


def _first(learned: Sequence[bool]) -> int:
    return learned.index(True) if True in learned else len(learned)


def _pair(row: Row, chosen: Document, rejected: Document, drop: bool) -> Pair:
    cut = chosen.cut or rejected.cut
    apart = chosen.targets and rejected.targets and not chosen.tokens_T.equal(rejected.tokens_T)
    usable = bool(apart) and not (cut and drop)
    return Pair(
        row_id=row.id,
        length=chosen.length + rejected.length,
        weight=int(usable),
        truncated=cut and not drop,
        chosen=chosen,
        rejected=rejected,
    )


def share_won(apart_P: Tensor) -> float:
    """How many of the differences are above zero; a zero counts half."""
    return float((apart_P > 0).sum() + 0.5 * (apart_P == 0).sum())

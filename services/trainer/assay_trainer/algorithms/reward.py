"""Reward modelling: a score for prompt and answer that is higher for the answer people chose.

The model it trains has one score a sequence in place of next-token logits; never generates anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from assay_schemas.algorithms import ALGORITHMS, RewardHyperparameters
from torch import Tensor

from assay_trainer.algorithms.base import Algorithm, Example, Loss
from assay_trainer.algorithms.pairs import Pair, encode_pairs, share_won
from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput
from assay_trainer.forward import lay_out, scores
from assay_trainer.model import padding_id_of


@dataclass(frozen=True)
class Judgement:
    """Chosen and rejected scores of pairs, and by how much they should differ at least; each (P,)."""

    chosen_P: Tensor
    rejected_P: Tensor
    margin_P: Tensor


def bradley_terry(judged: Judgement, centring: float) -> Tensor:
    """-log sigmoid(r_chosen - r_rejected - m) + c (r_chosen + r_rejected)^2 for each pair, (P,).

    The first term: Ouyang et al. 2022, Eq. 1, with the margin of Touvron et al. 2023 (Llama 2), Eq. 2; the second
    keeps scores around zero: Eisenstein et al. 2023, Eq. 2.
    """
    apart_P = judged.chosen_P - judged.rejected_P - judged.margin_P
    return -F.logsigmoid(apart_P) + centring * (judged.chosen_P + judged.rejected_P) ** 2


class RewardModelling(Algorithm):
    row_formats = ALGORITHMS["REWARD"].row_formats
    hyperparameters_class = RewardHyperparameters
    model_kind = ALGORITHMS["REWARD"].trains

    def __init__(self, hyperparameters: RewardHyperparameters, tokenizer: Any) -> None:
        self._hyperparameters = hyperparameters
        self._tokenizer = tokenizer
        self._padding_id = padding_id_of(tokenizer)
        self._margins: dict[str, float] = {}

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        self._margins |= {row.id: _margin(row) for row in rows}
        return [*encode_pairs(rows, self._tokenizer, self._hyperparameters)]

    def loss(self, model: torch.nn.Module, examples: Sequence[Pair], device: torch.device) -> Loss:
        """The sum of `bradley_terry` over pairs; `accuracy` counts a pair with equal scores half."""
        tokens = [pair.chosen.tokens_T for pair in examples] + [pair.rejected.tokens_T for pair in examples]
        layout = lay_out(model, tokens, self._padding_id, device)
        chosen_P, rejected_P = scores(model, tokens, layout).chunk(2)
        margin_P = torch.tensor([self._margins[pair.row_id] for pair in examples], device=device)
        total = bradley_terry(Judgement(chosen_P, rejected_P, margin_P), self._hyperparameters.centring).sum()
        return Loss(
            total,
            {
                "accuracy": share_won(chosen_P - rejected_P),
                "reward_margin": (chosen_P - rejected_P).sum(),
                "reward_chosen": chosen_P.sum(),
                "reward_rejected": rejected_P.sum(),
            },
        )


def _margin(row: Row) -> float:
    """The row's `margin`, 0 where it has none. Raises BadInput where it is no number."""
    value = row.columns.get("margin")
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadInput(f"dataset line {row.line}: margin is not a finite number; give a number, or leave it out")
    return float(value)

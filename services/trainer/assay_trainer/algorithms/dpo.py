"""Direct preference optimisation: the chosen answer becomes likelier than the rejected one, against the base model.

The base model's log-probabilities are computed once, before the first step; never trains a reward model.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from assay_schemas.algorithms import ALGORITHMS, DpoHyperparameters
from torch import Tensor

from assay_trainer.algorithms.base import Algorithm, Example, Loss
from assay_trainer.algorithms.pairs import Pair, encode_pairs, share_won
from assay_trainer.data.documents import Document
from assay_trainer.data.packing import passes
from assay_trainer.data.rows import Row
from assay_trainer.forward import by_document, lay_out, target_logprobs
from assay_trainer.model import padding_id_of
from assay_trainer.stepper import precision


@dataclass(frozen=True)
class Logprobs:
    """log p(answer | prompt), summed over its tokens, of chosen and rejected answers; each (P,)."""

    chosen_P: Tensor
    rejected_P: Tensor


def dpo_losses(delta_P: Tensor, hyperparameters: DpoHyperparameters) -> Tensor:
    """The loss of each pair, (P,), from the difference of its two log-ratios of policy to reference.

    `sigmoid`: -log sigmoid(beta delta) (Rafailov et al. 2023, Eq. 7); `length_normalised`: the same on log-ratios a
    token (Lambert et al. 2024, Eq. 6); `ipo`: (delta - 1 / (2 beta))^2 (Azar et al. 2023, Eq. 17), on log-ratios a
    token. Label smoothing: its expectation when a label is wrong with that probability (Mitchell 2023).
    """
    smoothing, beta = hyperparameters.label_smoothing, hyperparameters.beta

    def loss(delta: Tensor) -> Tensor:
        if hyperparameters.loss == "ipo":
            return (delta - 1 / (2 * beta)) ** 2
        return -F.logsigmoid(beta * delta)

    return (1 - smoothing) * loss(delta_P) + smoothing * loss(-delta_P)


class Dpo(Algorithm):
    row_formats = ALGORITHMS["DPO"].row_formats
    hyperparameters_class = DpoHyperparameters

    def __init__(self, hyperparameters: DpoHyperparameters, tokenizer: Any) -> None:
        self._hyperparameters = hyperparameters
        self._tokenizer = tokenizer
        self._padding_id = padding_id_of(tokenizer)
        self._reference: dict[str, tuple[float, float]] = {}

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        return [*encode_pairs(rows, self._tokenizer, self._hyperparameters)]

    def before_first_step(
        self, base: AbstractContextManager[Any], examples: Sequence[Pair], device: torch.device
    ) -> None:
        """Remember the base model's log-probabilities of every pair."""
        with base as model, precision(self._hyperparameters, device):
            for part in passes(examples, self._hyperparameters.micro_batch_size):
                found = self._logprobs(model, part, device)
                both = zip(found.chosen_P.tolist(), found.rejected_P.tolist(), strict=True)
                self._reference |= {pair.row_id: logprobs for pair, logprobs in zip(part, both, strict=True)}

    def _logprobs(self, model: Any, pairs: Sequence[Pair], device: torch.device) -> Logprobs:
        documents = [pair.chosen for pair in pairs] + [pair.rejected for pair in pairs]
        layout = lay_out(model, [each.tokens_T for each in documents], self._padding_id, device)
        return Logprobs(*by_document(target_logprobs(model, documents, layout), documents).chunk(2))

    def loss(self, model: torch.nn.Module, examples: Sequence[Pair], device: torch.device) -> Loss:
        """The sum of `dpo_losses` over pairs. Rewards are beta times a log-ratio, as the loss sees it."""
        policy = self._logprobs(model, examples, device)
        reference_2P = torch.tensor([self._reference[pair.row_id] for pair in examples], device=device).T
        chosen_P = (policy.chosen_P - reference_2P[0]) / self._length([pair.chosen for pair in examples], device)
        rejected_P = (policy.rejected_P - reference_2P[1]) / self._length([pair.rejected for pair in examples], device)
        beta = self._hyperparameters.beta
        return Loss(
            dpo_losses(chosen_P - rejected_P, self._hyperparameters).sum(),
            {
                "accuracy": share_won(chosen_P - rejected_P),
                "reward_margin": beta * (chosen_P - rejected_P).sum(),
                "reward_chosen": beta * chosen_P.sum(),
                "reward_rejected": beta * rejected_P.sum(),
                "logprob_chosen": policy.chosen_P.sum(),
                "logprob_rejected": policy.rejected_P.sum(),
            },
        )

    def _length(self, answers: Sequence[Document], device: torch.device) -> Tensor:
        """What log-ratios (P,) are divided by: the answers' tokens, or 1 where the loss is on whole answers."""
        whole = self._hyperparameters.loss == "sigmoid"
        return torch.tensor([1 if whole else answer.targets for answer in answers], device=device)

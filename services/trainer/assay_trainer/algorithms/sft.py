"""Supervised fine-tuning: the negative log-likelihood of what is to be learned, token by token.

Never decides how long or how often to train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from assay_schemas.algorithms import ALGORITHMS, SftHyperparameters
from torch import Tensor

from assay_trainer.algorithms.base import Algorithm, Example, Loss
from assay_trainer.data.documents import Document, document
from assay_trainer.data.messages import encode_rows
from assay_trainer.data.packing import Layout
from assay_trainer.data.rows import Row
from assay_trainer.forward import lay_out, target_logprobs
from assay_trainer.model import padding_id_of


@dataclass(frozen=True)
class Text(Example):
    """A document; `weight` is the number of its targets."""

    document: Document


class Sft(Algorithm):
    row_formats = ALGORITHMS["SFT"].row_formats
    hyperparameters_class = SftHyperparameters

    def __init__(self, hyperparameters: SftHyperparameters, tokenizer: Any) -> None:
        self._hyperparameters = hyperparameters
        self._tokenizer = tokenizer
        self._padding_id = padding_id_of(tokenizer)

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        encoded = encode_rows(rows, self._tokenizer, self._hyperparameters.loss_on)
        return [self._text(row, *pair) for row, pair in zip(rows, encoded, strict=True)]

    def _text(self, row: Row, tokens: list[int], learned: list[bool]) -> Text:
        made = document(tokens, learned, self._hyperparameters.max_length)
        dropped = made.cut and self._hyperparameters.overlong == "drop"
        return Text(
            row_id=row.id,
            length=made.length,
            weight=0 if dropped else made.targets,
            truncated=made.cut and not dropped,
            document=made,
        )

    def loss(self, model: torch.nn.Module, examples: Sequence[Text], device: torch.device) -> Loss:
        """-sum of log p(token | the tokens before it) over the examples' targets, in nats."""
        documents = [example.document for example in examples]
        tokens = [each.tokens_T for each in documents]
        layout = lay_out(model, tokens, self._padding_id, device, self._hyperparameters.packing)
        noised = model.training and self._hyperparameters.neftune_alpha > 0
        return Loss(-target_logprobs(model, documents, layout, self._noised if noised else None).sum())

    def _noised(self, model: Any, layout: Layout) -> Tensor:
        """Embeddings with uniform noise of magnitude alpha / sqrt(T * D) (NEFTune, Jain et al. 2023, Alg. 1)."""
        embedded_BTD: Tensor = model.get_input_embeddings()(layout.tokens_BT)
        lengths = torch.tensor(layout.lengths, device=embedded_BTD.device)
        if layout.packed:
            tokens_BT = torch.repeat_interleave(lengths, lengths)[None]
        else:
            tokens_BT = lengths[:, None].expand(layout.tokens_BT.shape)
        magnitude_BT = self._hyperparameters.neftune_alpha / (tokens_BT * embedded_BTD.shape[-1]).sqrt()
        noise_BTD = torch.empty_like(embedded_BTD).uniform_(-1, 1)
        return embedded_BTD + noise_BTD * magnitude_BT[..., None]

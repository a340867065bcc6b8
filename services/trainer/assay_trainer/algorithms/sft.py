"""Supervised fine-tuning: the negative log-likelihood of what is to be learned, token by token.

Computes logits only where a target is; never decides how long or how often to train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from assay_schemas.algorithms import ALGORITHMS, SftHyperparameters
from torch import Tensor

from assay_trainer.algorithms.base import Algorithm, Example, Loss
from assay_trainer.attention import takes_packed
from assay_trainer.data.messages import encode_rows
from assay_trainer.data.packing import Layout, pack, pad
from assay_trainer.data.rows import Row


@dataclass(frozen=True)
class Document(Example):
    """Token ids (T, int32) and the positions in 1..T-1 whose token is a target (N, int32), so N = `weight`."""

    tokens_T: Tensor
    targets_N: Tensor


class Sft(Algorithm):
    row_formats = ALGORITHMS["SFT"].row_formats
    hyperparameters_class = SftHyperparameters

    def __init__(self, hyperparameters: SftHyperparameters, tokenizer: Any) -> None:
        self._hyperparameters = hyperparameters
        self._tokenizer = tokenizer
        self._padding_id = int(tokenizer.pad_token_id or 0)

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        encoded = encode_rows(rows, self._tokenizer, self._hyperparameters.loss_on)
        return [self._document(row, *pair) for row, pair in zip(rows, encoded, strict=True)]

    def _document(self, row: Row, tokens: list[int], learned: list[bool]) -> Document:
        limit = self._hyperparameters.max_length
        overlong = len(tokens) > limit
        dropped = overlong and self._hyperparameters.overlong == "drop"
        targets = [at for at in range(1, min(len(tokens), limit)) if learned[at] and not dropped]
        return Document(
            row_id=row.id,
            length=min(len(tokens), limit),
            weight=len(targets),
            truncated=overlong and not dropped,
            tokens_T=torch.tensor(tokens[:limit], dtype=torch.int32),
            targets_N=torch.tensor(targets, dtype=torch.int32),
        )

    def loss(self, model: torch.nn.Module, examples: Sequence[Document], device: torch.device) -> Loss:
        """-sum of log p(token | the tokens before it) over the examples' targets, in nats."""
        documents = [example.tokens_T for example in examples]
        packed = self._hyperparameters.packing and takes_packed(model)
        layout = pack(documents) if packed else pad(documents, self._padding_id)
        targets_N = torch.cat(
            [start + example.targets_N.long() for start, example in zip(layout.starts(), examples, strict=True)]
        )
        wanted_N = layout.tokens_BT.flatten()[targets_N]
        logits_NV = self._logits(model, layout.to(device), (targets_N - 1).to(device))
        return Loss(F.cross_entropy(logits_NV.float(), wanted_N.to(device), reduction="sum"))

    def _logits(self, model: Any, layout: Layout, positions_N: Tensor) -> Tensor:
        """Next-token logits (N, V) at positions of the flattened layout."""
        decoder, head = model.get_decoder(), model.get_output_embeddings()
        inputs: dict[str, Any] = {"input_ids": layout.tokens_BT}
        if model.training and self._hyperparameters.neftune_alpha > 0:
            inputs = {"inputs_embeds": self._noised(model, layout)}
        if layout.packed:
            inputs["document_lengths"] = layout.lengths
        hidden_BTD = decoder(
            **inputs,
            attention_mask=layout.mask_BT,
            position_ids=layout.positions_BT,
            use_cache=False,
        ).last_hidden_state
        logits_NV: Tensor = head(hidden_BTD.flatten(0, 1)[positions_N])
        return logits_NV

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

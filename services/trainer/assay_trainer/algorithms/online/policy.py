"""One forward pass of the policy over sampled completions: log-probabilities, entropies and hidden states.

Computes logits only where a completion's tokens are predicted; knows no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from assay_trainer.attention import takes_packed
from assay_trainer.data.packing import Layout, pack, pad


class Sequenced(Protocol):
    """Tokens of prompt and completion (T, int32), the completion from `start` on."""

    @property
    def tokens_T(self) -> Tensor: ...

    @property
    def start(self) -> int: ...


@dataclass(frozen=True)
class Reading:
    """Over all completion tokens (N) of the sequences, in order: the log-probability of each under the tempered
    policy, the entropy in nats of the distribution it came from, and the hidden state before it (N, D)."""

    logprobs_N: Tensor
    entropies_N: Tensor
    hidden_ND: Tensor


def read_policy(
    model: Any, sequences: Sequence[Sequenced], temperature: float, padding_id: int, device: torch.device
) -> Reading:
    """Documents end to end where the model's attention takes them so, else padded."""
    documents = [sequence.tokens_T for sequence in sequences]
    layout = pack(documents) if takes_packed(model) else pad(documents, padding_id)
    positions = [
        torch.arange(at + sequence.start - 1, at + len(sequence.tokens_T) - 1)
        for at, sequence in zip(layout.starts(), sequences, strict=True)
    ]
    positions_N = torch.cat(positions).to(device)
    layout = layout.to(device)
    hidden_ND = _hidden(model, layout).flatten(0, 1)[positions_N]
    logits_NV = model.get_output_embeddings()(hidden_ND).float() / temperature
    logprobs_NV = logits_NV.log_softmax(-1)
    wanted_N = layout.tokens_BT.flatten()[positions_N + 1]
    entropies_N = -(logprobs_NV.detach().exp() * logprobs_NV.detach()).sum(-1)
    return Reading(logprobs_NV.gather(1, wanted_N[:, None])[:, 0], entropies_N, hidden_ND.float())


def _hidden(model: Any, layout: Layout) -> Tensor:
    lengths = {"document_lengths": layout.lengths} if layout.packed else {}
    hidden_BTD: Tensor = model.get_decoder()(
        input_ids=layout.tokens_BT,
        attention_mask=layout.mask_BT,
        position_ids=layout.positions_BT,
        use_cache=False,
        **lengths,
    ).last_hidden_state
    return hidden_BTD

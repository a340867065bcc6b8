"""A text as the model reads it: its tokens, and which of them it is asked to predict.

Cut to the length policy here, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Document:
    """Token ids (T, int32), the positions in 1..T-1 whose token is a target (N, int32), and whether it was cut."""

    tokens_T: Tensor
    targets_N: Tensor
    cut: bool

    @property
    def length(self) -> int:
        return len(self.tokens_T)

    @property
    def targets(self) -> int:
        return len(self.targets_N)


def document(tokens: Sequence[int], learned: Sequence[bool], limit: int) -> Document:
    """The first `limit` tokens. The first token of all is never a target: nothing comes before it."""
    kept = min(len(tokens), limit)
    return Document(
        tokens_T=torch.tensor(tokens[:kept], dtype=torch.int32),
        targets_N=torch.tensor([at for at in range(1, kept) if learned[at]], dtype=torch.int32),
        cut=len(tokens) > limit,
    )

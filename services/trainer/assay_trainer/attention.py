"""Attention over packed documents: each attends within itself, and all else is computed without padding.

Registered with transformers under ATTENTION; models whose layers do not take it are trained padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from assay_trainer.branches import Branches, branched_attention
from assay_trainer.grouping import group

ATTENTION = "assay_packed"
BEYOND = {"softcap": "its attention bounds what it compares (softcap)", "s_aux": "its attention has sinks"}
"""What layers of some architectures ask of their attention that this one does not do."""


class Unpackable(Exception):
    """A layer asks for an attention that is not this one."""


def packed_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    document_lengths: Sequence[int] | None = None,
    branches: Branches | None = None,
    sliding_window: int | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Causal attention of each document by itself, documents lying end to end in a batch of one; with `branches`
    prompts lie there, and completions that go on from them; what fills the row behind these attends to nothing.

    Shapes: query (1, H, T, D); key and value (1, H or fewer, T, D); result (1, T, H, D). Without
    `document_lengths` it is transformers' own attention. Raises Unpackable where more is asked of it.
    """
    for asked, words in BEYOND.items():
        if kwargs.get(asked) is not None:
            raise Unpackable(words)
    if document_lengths is None:
        attended: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
        return attended
    if branches is not None:
        alone = partial(
            _apart, document_lengths=branches.prompts, dropout=dropout, scaling=scaling, window=sliding_window
        )
        real = sum(branches.lengths)
        filling = query.shape[2] - real
        query, key, value = (tensor[:, :, :real] for tensor in (query, key, value))
        branched = branched_attention(query, key, value, branches, alone, dropout, scaling, sliding_window)
        return F.pad(branched, (0, 0, 0, 0, 0, filling)) if filling else branched, None
    return _apart(query, key, value, document_lengths, dropout, scaling, sliding_window), None


def _apart(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    document_lengths: Sequence[int],
    dropout: float,
    scaling: float | None,
    window: int | None,
) -> Tensor:
    grouping = group(tuple(document_lengths), query.device)
    queries, keys, values = (grouping.split(tensor) for tensor in (query, key, value))
    parts = [
        _causal(*documents, _window(documents[0].shape[2], window, query.device), dropout, scaling)
        for documents in zip(queries, keys, values, strict=True)
    ]
    return grouping.join(parts)


def _causal(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, scaling: float | None
) -> Tensor:
    return F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=mask is None,
        dropout_p=dropout,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )


def _window(length: int, size: int | None, device: torch.device) -> Tensor | None:
    """The mask of sliding-window attention, where the document is longer than the window."""
    if size is None or length <= size:
        return None
    at = torch.arange(length, device=device)
    distance = at[:, None] - at[None]
    return (distance >= 0) & (distance < size)


def packed_mask(*args: Any, attention_mask: Tensor | None = None, **kwargs: Any) -> Tensor | None:
    """No mask where documents are packed; transformers' own where rows are padded."""
    if attention_mask is None:
        return None
    mask: Tensor | None = sdpa_mask(*args, attention_mask=attention_mask, **kwargs)
    return mask


def takes_packed(model: Any) -> bool:
    """Whether the model's layers use this attention, or one over several processes that is named after it."""
    return str(model.config._attn_implementation).startswith(ATTENTION)


def register() -> None:
    """Make ATTENTION known to transformers; safe to repeat."""
    AttentionInterface.register(ATTENTION, packed_attention)
    AttentionMaskInterface.register(ATTENTION, packed_mask)

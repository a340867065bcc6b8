"""Floating-point operations of training, of reading and of generating, from a model's shape and token counts.

Pure arithmetic: N is the parameters that a token is multiplied with, T the tokens. Says nothing of time.
"""

from __future__ import annotations

from collections.abc import Iterable

from assay_schemas.cost.shape import ModelShape

SOURCE = (
    "2·N·T forward and 4·N·T backward (Kaplan et al. 2020, section 2.1), and the attention term of Chowdhery et al. "
    "2022, appendix B, over the half of the square that causal attention computes"
)


def forward_flops(shape: ModelShape, lengths_tokens: Iterable[float]) -> float:
    """One pass over sequences of these lengths: 2·N·T + 2·L·A·Σ n², with A the width of all heads.

    Queries with keys and weights with values are each 2·A·n²/2 a layer for a causal sequence of n tokens.
    """
    tokens, squares = _sums(lengths_tokens)
    return 2.0 * shape.multiplied_parameters * tokens + 2.0 * shape.layers * shape.attention_width * squares


def backward_flops(
    shape: ModelShape, lengths_tokens: Iterable[float], *, lora_rank: int | None = None, recomputed: bool = False
) -> float:
    """The backward pass: gradients of activations (as much as forward) and of weights (2·N·T).

    With adapters the frozen weights have no gradient; the adapters' own forward and backward are added.
    `recomputed`: activation checkpointing runs the forward pass once more.
    """
    lengths = list(lengths_tokens)
    tokens, squares = _sums(lengths)
    attention = 4.0 * shape.layers * shape.attention_width * squares
    weights = 2.0 * shape.multiplied_parameters * tokens
    again = forward_flops(shape, lengths) if recomputed else 0.0
    if lora_rank is None:
        return 2.0 * weights + attention + again
    adapters = 6.0 * shape.linear_parameters_of_rank_one * lora_rank * tokens
    return weights + attention + adapters + again


def training_flops(
    shape: ModelShape, lengths_tokens: Iterable[float], *, lora_rank: int | None = None, recomputed: bool = False
) -> float:
    """Forward and backward: 6·N·T and three times the forward attention term for full training."""
    lengths = list(lengths_tokens)
    return forward_flops(shape, lengths) + backward_flops(shape, lengths, lora_rank=lora_rank, recomputed=recomputed)


def generation_flops(shape: ModelShape, prompt_tokens: float, new_tokens: float) -> float:
    """One sequence with a key-value cache: reading the prompt, then 2·N and 4·L·A·context for each new token."""
    contexts = new_tokens * prompt_tokens + new_tokens**2 / 2.0
    decoding = 2.0 * shape.multiplied_parameters * new_tokens + 4.0 * shape.layers * shape.attention_width * contexts
    return forward_flops(shape, [prompt_tokens]) + decoding


def _sums(lengths: Iterable[float]) -> tuple[float, float]:
    tokens = squares = 0.0
    for length in lengths:
        tokens += length
        squares += length * length
    return tokens, squares

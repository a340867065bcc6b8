"""Exchanges between processes that gradients flow through: tokens against heads, tokens to experts, tokens together.

Each is its own inverse in the backward pass; nothing here knows a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class _ToHeads(Function):
    """(1, H, T/c, D) to (1, H/c, T, D): each process gives every other that one's heads, and gets its tokens."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return _tokens_for_heads(tensor, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _heads_for_tokens(gradient, ctx.group), None


class _ToTokens(Function):
    """(1, H/c, T, D) to (1, H, T/c, D)."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        return _heads_for_tokens(tensor, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _tokens_for_heads(gradient, ctx.group), None


def _tokens_for_heads(tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
    count = group.size()
    _, heads, tokens, width = tensor.shape
    sent = tensor[0].reshape(count, heads // count, tokens, width).contiguous()
    got = torch.empty_like(sent)
    dist.all_to_all_single(got, sent, group=group)
    return got.transpose(0, 1).reshape(1, heads // count, count * tokens, width)


def _heads_for_tokens(tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
    count = group.size()
    _, heads, tokens, width = tensor.shape
    sent = tensor[0].reshape(heads, count, tokens // count, width).transpose(0, 1).contiguous()
    got = torch.empty_like(sent)
    dist.all_to_all_single(got, sent, group=group)
    return got.reshape(1, count * heads, tokens // count, width)


class _Dispatch(Function):
    """Rows (n, D) to other processes, `sent[p]` of them to process p; gets `got[p]` from each."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, sent: list[int], got: list[int], group: dist.ProcessGroup) -> Tensor:
        ctx.sent, ctx.got, ctx.group = sent, got, group
        return _exchange(rows, sent, got, group)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _exchange(gradient, ctx.got, ctx.sent, ctx.group), None, None, None


def _exchange(rows: Tensor, sent: list[int], got: list[int], group: dist.ProcessGroup) -> Tensor:
    result = rows.new_empty((sum(got), *rows.shape[1:]))
    dist.all_to_all_single(result, rows.contiguous(), got, sent, group=group)
    return result


class _Gather(Function):
    """Parts of a sequence (B, T/c, D) to the whole (B, T, D) on every process.

    Every process goes on to compute a share of one loss with the whole, so gradients of a part are summed over all.
    """

    @staticmethod
    def forward(ctx: Any, part: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        parts = [torch.empty_like(part) for _ in range(group.size())]
        dist.all_gather(parts, part.contiguous(), group=group)
        return torch.cat(parts, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        whole = gradient.contiguous()
        dist.all_reduce(whole, group=ctx.group)
        return whole.chunk(ctx.group.size(), 1)[ctx.group.rank()].contiguous(), None


def tokens_for_heads(tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
    """(1, H, T/c, D) to (1, H/c, T, D)."""
    found: Tensor = _ToHeads.apply(tensor, group)  # type: ignore[no-untyped-call]
    return found


def heads_for_tokens(tensor: Tensor, group: dist.ProcessGroup) -> Tensor:
    """(1, H/c, T, D) to (1, H, T/c, D)."""
    found: Tensor = _ToTokens.apply(tensor, group)  # type: ignore[no-untyped-call]
    return found


def dispatch(rows: Tensor, sent: Sequence[int], got: Sequence[int], group: dist.ProcessGroup) -> Tensor:
    """Rows in the order of the processes they go to; the result in the order of those they came from."""
    found: Tensor = _Dispatch.apply(rows, list(sent), list(got), group)  # type: ignore[no-untyped-call]
    return found


def gather_tokens(part: Tensor, group: dist.ProcessGroup) -> Tensor:
    """(B, T/c, D) to (B, T, D)."""
    found: Tensor = _Gather.apply(part, group)  # type: ignore[no-untyped-call]
    return found

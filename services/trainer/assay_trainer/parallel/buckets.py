"""Tensors that are sent together, so that small ones do not travel alone.

Never sends anything itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

ELEMENTS_AT_ONCE = 2**24


def buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """The tensors in order, in groups of one number format and ELEMENTS_AT_ONCE elements at most, or a larger one."""
    bucket: list[Tensor] = []
    for tensor in tensors:
        if bucket and (
            bucket[0].dtype != tensor.dtype or sum(one.numel() for one in bucket) + tensor.numel() > ELEMENTS_AT_ONCE
        ):
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket

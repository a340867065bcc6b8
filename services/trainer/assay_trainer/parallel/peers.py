"""Peers over a process group: JSON texts and sums of tensors.

Never sends an object that would have to be unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from assay_trainer.parallel.world import World

ELEMENTS_AT_ONCE = 2**24


class WorldPeers:
    """All processes of a world, which spreads rows alone."""

    def __init__(self, world: World) -> None:
        self.place, self.places = world.rank, world.parallelism.processes
        self._device = world.device

    def gathered(self, own: Any) -> list[Any]:
        text = torch.frombuffer(bytearray(json.dumps(own).encode()), dtype=torch.uint8)
        sizes = torch.zeros(self.places, dtype=torch.int64, device=self._device)
        sizes[self.place] = len(text)
        dist.all_reduce(sizes)
        longest = int(sizes.max())
        sent = torch.zeros(longest, dtype=torch.uint8, device=self._device)
        sent[: len(text)] = text.to(self._device)
        got = [torch.empty_like(sent) for _ in range(self.places)]
        dist.all_gather(got, sent)
        texts = [part[:size].cpu().numpy().tobytes() for part, size in zip(got, sizes.tolist(), strict=True)]
        return [json.loads(text) for text in texts]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        for bucket in _buckets(tensors):
            joined = torch.cat([tensor.reshape(-1) for tensor in bucket])
            dist.all_reduce(joined)
            parts = torch.split(joined, [tensor.numel() for tensor in bucket])
            for tensor, part in zip(bucket, parts, strict=True):
                tensor.copy_(part.view_as(tensor))


def _buckets(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Tensors of one number format that are sent together."""
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

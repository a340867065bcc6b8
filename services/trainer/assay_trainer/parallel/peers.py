"""Peers over a process group: JSON texts, sums of tensors, and who updates which rows.

Never sends an object that would have to be unpickled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from assay_trainer.parallel.buckets import buckets
from assay_trainer.parallel.own_rows import OwnRows, joined, spread_out
from assay_trainer.parallel.sharding import local_of
from assay_trainer.parallel.world import World
from assay_trainer.peers import Alone


class WorldPeers:
    """All processes of a world that spreads rows, and may split tokens and matrices; those of one place are in a row.

    `rows` are those of the model in training that this process updates."""

    def __init__(self, world: World, rows: OwnRows) -> None:
        self._rows = rows
        self.place, self.places = world.place("data"), world.parallelism.data
        self.sharers, self._parts = world.parallelism.context, world.parallelism.tensor
        self.speaks = world.place("tensor") == world.place("context") == 0
        self._rank, self._processes = world.rank, world.parallelism.processes
        self._same_rows, self._same_parts = world.group("tensor"), world.group("data")
        self._dense = world.dense.get_group()
        self._device = world.device

    def gathered(self, own: Any) -> list[Any]:
        text = torch.frombuffer(bytearray(json.dumps(own).encode()), dtype=torch.uint8)
        sizes = torch.zeros(self._processes, dtype=torch.int64, device=self._device)
        sizes[self._rank] = len(text)
        dist.all_reduce(sizes)
        longest = int(sizes.max())
        sent = torch.zeros(longest, dtype=torch.uint8, device=self._device)
        sent[: len(text)] = text.to(self._device)
        got = [torch.empty_like(sent) for _ in range(self._processes)]
        dist.all_gather(got, sent)
        texts = [part[:size].cpu().numpy().tobytes() for part, size in zip(got, sizes.tolist(), strict=True)]
        return [json.loads(text) for text in texts[:: self._parts * self.sharers]]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        _add_up(tensors, self._same_parts)

    def add_up_gradients(self, gradients: Sequence[Tensor]) -> None:
        _add_up(gradients, self._dense)

    def own_part(self, model: Any) -> OwnRows:  # noqa: ARG002
        return self._rows

    def clipped(self, parameters: Sequence[Tensor], limit: float) -> float:
        """In float64 where matrices are split; what is not split is whole and equal on every process."""
        if self._parts == 1:
            return Alone().clipped(parameters, limit)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        squares = torch.zeros(2, dtype=torch.float64, device=self._device)
        for gradient in gradients:
            squares[int(isinstance(gradient, DTensor))] += local_of(gradient).double().square().sum()
        whole = squares[0].clone()
        dist.all_reduce(squares, group=self._same_rows)
        norm = float((whole + squares[1]).sqrt())
        if math.isfinite(norm) and norm > limit:
            for gradient in gradients:
                local_of(gradient).mul_(limit / (norm + 1e-6))
        return norm


def _add_up(tensors: Sequence[Tensor], group: dist.ProcessGroup) -> None:
    for bucket in buckets([local_of(tensor) for tensor in tensors]):
        together = joined(bucket)
        dist.all_reduce(together, group=group)
        spread_out(together, bucket)

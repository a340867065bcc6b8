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

from assay_trainer.parallel.buckets import buckets
from assay_trainer.parallel.own_rows import OwnRows, joined, spread_out
from assay_trainer.parallel.sharding import local_of
from assay_trainer.parallel.used import used_anywhere
from assay_trainer.parallel.world import World
from assay_trainer.peers import Alone


class WorldPeers:
    """All processes of a world that spreads rows, and may split models and tokens; those of one place share one model.

    `rows` are those of the model in training that this process updates."""

    def __init__(self, world: World, rows: OwnRows) -> None:
        self._rows = rows
        layout = world.parallelism
        self.place, self.places = world.row_place, world.row_places
        self.sharers = layout.context
        self._last_stage = layout.processes - layout.processes // layout.pipeline
        self._stride = layout.context * layout.tensor
        self.speaks = world.rank >= self._last_stage and world.rank % self._stride == 0
        self._rank, self._processes = world.rank, layout.processes
        self._whole = max(layout.tensor, layout.expert, layout.pipeline) == 1
        self._places = world.mesh["pipeline", "expert", "data"]._flatten("places").get_group()
        self._alike = world.mesh["pipeline", "expert", "data", "context"]._flatten("alike").get_group()
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
        return [json.loads(text) for text in texts[self._last_stage :: self._stride]]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        _add_up(tensors, self._places)

    def add_up_gradients(self, parameters: Sequence[Tensor]) -> None:
        """What is no parameter of the model has parts of its gradient in every stage."""
        by_group: dict[dist.ProcessGroup, list[Tensor]] = {}
        for parameter in parameters:
            group = self._rows.group_of(parameter) or self._alike
            if group.size() > 1:
                by_group.setdefault(group, []).append(parameter)
        for group, shared in by_group.items():
            anywhere = used_anywhere([parameter.grad is not None for parameter in shared], group, self._device)
            _add_up([_gradient(parameter) for parameter, used in zip(shared, anywhere, strict=True) if used], group)

    def own_part(self, model: Any) -> OwnRows:  # noqa: ARG002
        return self._rows

    def clipped(self, parameters: Sequence[Tensor], limit: float) -> float:
        """In float64 where processes have parts of the model, each part counted once; else all are equal."""
        if self._whole:
            return Alone().clipped(parameters, limit)
        square = torch.zeros((), dtype=torch.float64, device=self._device)
        for parameter in parameters:
            if parameter.grad is not None:
                square += local_of(parameter.grad).double().square().sum() / self._rows.copies_of(parameter)
        dist.all_reduce(square)
        norm = float(square.sqrt())
        if math.isfinite(norm) and norm > limit:
            for parameter in parameters:
                if parameter.grad is not None:
                    local_of(parameter.grad).mul_(limit / (norm + 1e-6))
        return norm


def _gradient(parameter: Tensor) -> Tensor:
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _add_up(tensors: Sequence[Tensor], group: dist.ProcessGroup) -> None:
    for bucket in buckets([local_of(tensor) for tensor in tensors]):
        together = joined(bucket)
        dist.all_reduce(together, group=group)
        spread_out(together, bucket)

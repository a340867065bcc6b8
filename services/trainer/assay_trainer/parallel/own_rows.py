"""The rows of every parameter that one process updates, where all that see other tokens have the whole of it.

Only the optimizer's state is sharded (Rajbhandari et al. 2020, ZeRO, section 5.1): weights and gradients stay whole,
since each process samples with the model. AdamW updates element by element, so nothing changes but who computes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from assay_trainer.checkpoints.shards import Placement
from assay_trainer.parallel.buckets import buckets
from assay_trainer.parallel.placement import Placed, first_holder, placement_of
from assay_trainer.parallel.sharding import local_of
from assay_trainer.parallel.world import World


def rows_of(count: int, place: int, places: int) -> slice:
    """Which of `count` rows are those of `place`: as many for each, and what is lacking is lacking at the end."""
    each = -(-count // places)
    return slice(min(count, each * place), min(count, each * (place + 1)))


class OwnRows:
    """What of a model's trainable parameters this process updates. `module` holds them, as views into the model's."""

    def __init__(self, model: Any, world: World) -> None:
        self._world = world
        self._place, self._places = world.dense.get_local_rank(), world.dense.size()
        self._trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
        views = {name: nn.Parameter(self._cut(parameter.detach())) for name, parameter in self._trained.items()}
        self._own = {name: view for name, view in views.items() if view.numel()}
        self.module = nn.ParameterList(self._own.values())

    def _cut(self, tensor: Tensor) -> Tensor:
        local = local_of(tensor)
        return local[rows_of(len(local), self._place, self._places)]

    def take_gradients(self) -> None:
        for name, own in self._own.items():
            gradient = self._trained[name].grad
            own.grad = None if gradient is None else self._cut(gradient)

    @torch.no_grad()
    def tell_weights(self) -> None:
        """Every process's rows into the whole of all others."""
        for bucket in buckets([local_of(parameter.detach()) for parameter in self._trained.values()]):
            parts = [self._parts(bucket, place) for place in range(self._places)]
            room = sum(part.numel() for part in parts[0])
            sent = bucket[0].new_zeros(room)
            sent[: sum(part.numel() for part in parts[self._place])] = joined(parts[self._place])
            got = [torch.empty_like(sent) for _ in parts]
            dist.all_gather(got, sent, group=self._world.dense.get_group())
            for part, found in zip(parts, got, strict=True):
                spread_out(found, part)

    def _parts(self, wholes: Sequence[Tensor], place: int) -> list[Tensor]:
        return [whole[rows_of(len(whole), place, self._places)] for whole in wholes]

    def placed(self) -> Iterator[Placed]:
        """Where the rows belong in the whole."""
        for name, own in self._own.items():
            parameter = self._trained[name]
            whole = placement_of(parameter, self._world, expert=False)
            above = rows_of(len(local_of(parameter)), self._place, self._places).start
            placement = Placement(whole=whole.whole, start=(whole.start[0] + above, *whole.start[1:]))
            first = first_holder(parameter, self._world, {"data", "context"})
            yield Placed(name, own, placement, expert=False, first=first)


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Their elements in one row."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def spread_out(row: Tensor, into: Sequence[Tensor]) -> None:
    """What `joined` put together, back; `row` may be longer."""
    at = 0
    for tensor in into:
        tensor.copy_(row[at : at + tensor.numel()].view_as(tensor))
        at += tensor.numel()

"""The rows of every parameter that one process updates, where all that see other tokens have the same of it.

Only the optimizer's state is sharded (Rajbhandari et al. 2020, ZeRO, section 5.1): weights and gradients stay whole,
since each process samples with the model. AdamW updates element by element, so nothing changes but who computes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from assay_trainer.checkpoints.shards import Placement
from assay_trainer.parallel.buckets import buckets
from assay_trainer.parallel.placement import Placed, first_holder, placement_of
from assay_trainer.parallel.sharding import copies, expert_names, local_of
from assay_trainer.parallel.world import World


def rows_of(count: int, place: int, places: int) -> slice:
    """Which of `count` rows are those of `place`: as many for each, and what is lacking is lacking at the end."""
    each = -(-count // places)
    return slice(min(count, each * place), min(count, each * (place + 1)))


class OwnRows:
    """What of a model's trainable parameters this process updates. `module` holds them, as views into the model's."""

    def __init__(self, model: Any, world: World) -> None:
        self._world = world
        self._experts = expert_names(model)
        self._trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
        self._names = {id(each): name for name, each in self._trained.items()}
        views = {name: nn.Parameter(self._cut(name, each.detach())) for name, each in self._trained.items()}
        self._own = {name: view for name, view in views.items() if view.numel()}
        self.module = nn.ParameterList(self._own.values())

    def group_of(self, parameter: Tensor) -> dist.ProcessGroup | None:
        """The processes that share its rows out, each of which has the gradient of other tokens; None for what is no
        parameter of the model."""
        name = self._names.get(id(parameter))
        return None if name is None else self._mesh(name).get_group()

    def copies_of(self, parameter: Tensor) -> int:
        """How many processes have the very part of it that this one has; all have what is no part of the model."""
        name = self._names.get(id(parameter))
        if name is None:
            return self._world.parallelism.processes
        return copies(parameter, self._world, expert=name in self._experts)

    def _mesh(self, name: str) -> DeviceMesh:
        return self._world.experts if name in self._experts else self._world.dense

    def _cut(self, name: str, tensor: Tensor) -> Tensor:
        local, mesh = local_of(tensor), self._mesh(name)
        return local[rows_of(len(local), mesh.get_local_rank(), mesh.size())]

    def take_gradients(self) -> None:
        for name, own in self._own.items():
            gradient = self._trained[name].grad
            own.grad = None if gradient is None else self._cut(name, gradient)

    @torch.no_grad()
    def tell_weights(self) -> None:
        """Every process's rows into the whole of all others."""
        for mesh in (self._world.dense, self._world.experts):
            shared = [each for name, each in self._trained.items() if self._mesh(name) is mesh]
            if mesh.size() > 1:
                _tell([local_of(parameter.detach()) for parameter in shared], mesh)

    def placed(self) -> Iterator[Placed]:
        """Where the rows belong in the whole."""
        for name, own in self._own.items():
            parameter = self._trained[name]
            mesh, expert = self._mesh(name), name in self._experts
            whole = placement_of(parameter, self._world, expert=expert)
            above = rows_of(len(local_of(parameter)), mesh.get_local_rank(), mesh.size()).start
            placement = Placement(whole=whole.whole, start=(whole.start[0] + above, *whole.start[1:]))
            first = first_holder(parameter, self._world, {"pipeline", "expert", "data", "context"})
            yield Placed(name, own, placement, expert, first=first)


def _tell(wholes: Sequence[Tensor], mesh: DeviceMesh) -> None:
    """Every process's rows to all others of the mesh."""
    place, places = mesh.get_local_rank(), mesh.size()
    for bucket in buckets(wholes):
        parts = [[whole[rows_of(len(whole), at, places)] for whole in bucket] for at in range(places)]
        room = sum(part.numel() for part in parts[0])
        sent = bucket[0].new_zeros(room)
        sent[: sum(part.numel() for part in parts[place])] = joined(parts[place])
        got = [torch.empty_like(sent) for _ in parts]
        dist.all_gather(got, sent, group=mesh.get_group())
        for part, found in zip(parts, got, strict=True):
            spread_out(found, part)


def joined(tensors: Sequence[Tensor]) -> Tensor:
    """Their elements in one row."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def spread_out(row: Tensor, into: Sequence[Tensor]) -> None:
    """What `joined` put together, back; `row` may be longer."""
    at = 0
    for tensor in into:
        tensor.copy_(row[at : at + tensor.numel()].view_as(tensor))
        at += tensor.numel()

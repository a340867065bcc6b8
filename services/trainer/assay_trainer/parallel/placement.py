"""Where the part of a tensor that lies on this process belongs in the whole, and how the whole is put together.

Parts travel through tensors and files only, never through pickled objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset

from assay_trainer.checkpoints.shards import Placement
from assay_trainer.parallel.sharding import copies, local_of
from assay_trainer.parallel.world import World


@dataclass(frozen=True)
class Placed:
    """A parameter of this process, what part of the whole it is, whether its experts are this process's own, and
    whether this process is the first of those that hold the same part."""

    name: str
    parameter: nn.Parameter
    placement: Placement
    expert: bool
    first: bool


def placed_parameters(model: nn.Module, experts: set[str], world: World) -> Iterator[Placed]:
    """Every parameter that has a part here. `experts` are the names of parameters of spread experts."""
    for name, parameter in model.named_parameters():
        expert = name in experts
        alone = copies(parameter, world, expert=expert) == 1
        first = alone or first_holder(parameter, world, {"pipeline", "expert"} if expert else {"pipeline"})
        yield Placed(name, parameter, placement_of(parameter, world, expert=expert), expert, first)


def first_holder(parameter: Tensor, world: World, own: set[str]) -> bool:
    """Whether this process is the first of those that hold the same part, where each has another along `own`."""
    apart = own | _sharded_dimensions(parameter)
    return all(world.place(name) == 0 for name in ("expert", "data", "context", "tensor") if name not in apart)


def _sharded_dimensions(parameter: Tensor) -> set[str]:
    """The mesh dimensions that a parameter is cut along."""
    names = getattr(getattr(parameter, "device_mesh", None), "mesh_dim_names", None) or ()
    placements = getattr(parameter, "placements", ())
    found = {name for name, at in zip(names, placements, strict=False) if not at.is_replicate()}
    if "dense" in found:
        found |= {"expert", "data", "context"}
    if "expert_shards" in found:
        found |= {"data", "context"}
    return found


def placement_of(tensor: Tensor, world: World, *, expert: bool) -> Placement:
    """The place of the part here."""
    whole = tuple(tensor.shape)
    start: Sequence[int] = (0,) * tensor.ndim
    if isinstance(tensor, DTensor):
        _, start = compute_local_shape_and_global_offset(tensor.shape, tensor.device_mesh, tensor.placements)
    start = tuple(start)
    if expert:
        count = world.parallelism.expert
        start = (start[0] + whole[0] * world.place("expert"), *start[1:])
        whole = (whole[0] * count, *whole[1:])
    return Placement(whole=whole, start=start)


def whole_of(tensor: Tensor, world: World, *, expert: bool) -> Tensor:
    """The whole tensor, on every process of this stage. Every process must ask for the same ones in the same order.

    Parts that rest in main memory are gathered where the processes can reach each other: on their devices."""
    full = cast(DTensor, tensor.to(world.device)).full_tensor() if isinstance(tensor, DTensor) else tensor
    if not expert:
        return full
    parts = [torch.empty_like(full) for _ in range(world.parallelism.expert)]
    dist.all_gather(parts, full.contiguous(), group=world.group("expert"))
    return torch.cat(parts)


def cut(whole: Tensor, like: Tensor, placement: Placement) -> Any:
    """The part of `whole` that belongs where `like` lies, laid out as `like` is."""
    local = local_of(like)
    part = whole[tuple(slice(at, at + size) for at, size in zip(placement.start, local.shape, strict=True))]
    part = part.to(device=local.device, dtype=local.dtype).contiguous().clone()
    if not isinstance(like, DTensor):
        return part
    return DTensor.from_local(
        part, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )

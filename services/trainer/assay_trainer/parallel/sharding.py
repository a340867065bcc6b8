"""What each process keeps of the weights: FSDP2 over all processes that see other tokens, layer by layer.

Gradients are summed, never averaged: every process computes its share of one loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor

from assay_trainer.parallel.experts import SpreadExperts, spread
from assay_trainer.parallel.used import Used
from assay_trainer.parallel.world import World

if TYPE_CHECKING:
    from assay_trainer.algorithms.base import Algorithm, Example, Loss


class Computation(nn.Module):
    """A model with the loss that is computed of it, so that everything that reads weights is inside one forward."""

    def __init__(self, model: Any, algorithm: Algorithm) -> None:
        super().__init__()
        self.model = model
        self._algorithm = algorithm
        self.last: Loss | None = None

    def forward(self, examples: Sequence[Example], device: torch.device) -> Tensor:
        """The loss's total, shape (); all of it is in `last`."""
        self.last = self._algorithm.loss(self.model, examples, device)
        return self.last.total


def shard(root: nn.Module, layers: Sequence[nn.Module], world: World, *, offload: bool) -> Used:
    """Shard `root` in place: each of `layers` by itself, experts over the processes that share them, then the rest.

    With `offload` the shards, their gradients and their optimizer's state rest in main memory, where they are updated:
    also those of one process, whose shard is the whole. The result knows which weights a step used."""
    used = Used()
    if world.dense.size() == 1 and not offload:
        return used
    policy = CPUOffloadPolicy(pin_memory=world.device.type == "cuda") if offload else OffloadPolicy()
    alone, apart = set[nn.Parameter](), set[nn.Parameter]()
    for experts in spread(root):
        if world.experts.size() > 1:
            used.watch(_shard(experts, world.experts, policy, set()), world.experts, set())
            apart |= set(experts.parameters())
        else:
            alone |= set(experts.parameters())
    for layer in layers:
        sharded = _shard(layer, world.dense, policy, alone & set(layer.parameters()))
        used.watch(sharded, world.dense, alone | apart)
    _shard(root, world.dense, policy, alone)
    for module in root.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    return used


def rest(root: nn.Module) -> None:
    """Let go of what a forward pass without a backward pass left gathered, so that parameters are shards again."""
    for module in root.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def _shard(module: nn.Module, mesh: DeviceMesh, policy: OffloadPolicy, ignored: set[nn.Parameter]) -> FSDPModule:
    return fully_shard(module, mesh=mesh, offload_policy=policy, ignored_params=ignored or None)


def expert_names(model: nn.Module) -> set[str]:
    """The names of parameters of which each process of the expert group has its own."""
    return {
        f"{name}.{own}"
        for name, module in model.named_modules()
        if isinstance(module, SpreadExperts)
        for own, _ in module.named_parameters(recurse=False)
    }


def local_of(tensor: Tensor) -> Tensor:
    """The part of a tensor that lies here."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def copies(tensor: Tensor, world: World, *, expert: bool) -> int:
    """How many processes hold the very part of a parameter that this one holds."""
    layout = world.parallelism
    sharers = layout.processes // layout.pipeline // (layout.expert if expert else 1)
    shards = 1
    if isinstance(tensor, DTensor):
        for size, placement in zip(tensor.device_mesh.shape, tensor.placements, strict=True):
            shards *= 1 if placement.is_replicate() else size
    return sharers // shards

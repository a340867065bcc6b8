"""Which weights got a gradient in a step, on any process: one without any is neither moved nor decayed, as in one
process.

Only weights of layers are watched: what is used beside them is the same on every process, whatever its rows are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule


class Used:
    """Sharded parameters, and which of them this process used since `drop_unused` was called last."""

    def __init__(self) -> None:
        self._watched: list[tuple[DeviceMesh, list[nn.Parameter]]] = []
        self._here: set[nn.Parameter] = set()

    def watch(self, module: FSDPModule, mesh: DeviceMesh, but: set[nn.Parameter]) -> None:
        """The parameters of a module that was just sharded over `mesh`, except those of `but`.

        A process that did not use one takes part in its sum with zeros: without, sums would be of unequal length."""
        assert isinstance(module, nn.Module)
        if mesh.size() == 1:
            return
        module.set_reduce_scatter_unused_params(True, recurse=False)
        learning = {name: each for name, each in module.named_parameters() if each.requires_grad and each not in but}
        self._watched.append((mesh, list(learning.values())))

        def note_whole(*_: object) -> None:
            """Within a pass its parameters are whole; the same tensors in every pass."""
            first.remove()
            whole = dict(module.named_parameters())
            for name, shard in learning.items():
                note = partial(self._note, shard)
                whole[name].register_post_accumulate_grad_hook(note)  # type: ignore[no-untyped-call]

        first = module.register_forward_pre_hook(note_whole)

    def _note(self, shard: nn.Parameter, _: nn.Parameter) -> None:
        self._here.add(shard)

    def drop_unused(self, device: torch.device) -> None:
        """No gradient where nobody has one. Every process must call it after its passes of a step."""
        for mesh in {mesh: None for mesh, _ in self._watched}:
            shards = [shard for own, parameters in self._watched if own is mesh for shard in parameters]
            anywhere = used_anywhere([shard in self._here for shard in shards], mesh.get_group(), device)
            for shard, used in zip(shards, anywhere, strict=True):
                if not used:
                    shard.grad = None
        self._here.clear()


def used_anywhere(here: Sequence[bool], group: dist.ProcessGroup, device: torch.device) -> list[bool]:
    """Which of the things that every process of the group says it uses or not, in one order, any does."""
    any_ = torch.tensor(here, dtype=torch.uint8, device=device)
    dist.all_reduce(any_, dist.ReduceOp.MAX, group=group)
    return [bool(one) for one in any_.tolist()]

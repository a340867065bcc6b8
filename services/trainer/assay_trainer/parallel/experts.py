"""Expert parallelism: each process keeps some of the experts, and tokens travel to the experts they are routed to.

Two all-to-alls a layer (Lepikhin et al. 2020, section 3.2); no capacity limit, so no token is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from assay_trainer.errors import BadInput
from assay_trainer.parallel.exchange import dispatch


@dataclass(frozen=True)
class Shared:
    """A process group, which copies of a model have in common."""

    group: dist.ProcessGroup

    def __deepcopy__(self, memo: dict[int, Any]) -> Shared:
        return self


class SpreadExperts(nn.Module):
    """Takes the place of transformers' experts module (gate_up_proj (E, 2I, D), down_proj (E, D, I)): holds E/e of
    them under the same names."""

    def __init__(self, experts: Any, group: dist.ProcessGroup) -> None:
        super().__init__()
        self._shared = Shared(group)
        self.num_experts = experts.gate_up_proj.shape[0]
        self.local = self.num_experts // group.size()
        mine = slice(group.rank() * self.local, (group.rank() + 1) * self.local)
        self.gate_up_proj = nn.Parameter(experts.gate_up_proj.detach()[mine].clone())
        self.down_proj = nn.Parameter(experts.down_proj.detach()[mine].clone())
        self.act_fn = experts.act_fn

    def forward(self, hidden_TD: Tensor, chosen_TK: Tensor, weights_TK: Tensor) -> Tensor:
        """Each token's mix of its K experts. Shapes: hidden (T, D), chosen and weights (T, K), result (T, D)."""
        each, group = chosen_TK.shape[1], self._shared.group
        order = torch.argsort(chosen_TK.flatten(), stable=True)
        counts = torch.bincount(chosen_TK.flatten(), minlength=self.num_experts)
        theirs = torch.empty_like(counts)
        dist.all_to_all_single(theirs, counts, group=group)
        sent = counts.view(-1, self.local).sum(1).tolist()
        got = theirs.view(-1, self.local).sum(1).tolist()
        arrived = dispatch(hidden_TD[order // each], sent, got, group)
        computed = self._compute(arrived, theirs.view(-1, self.local))
        back = dispatch(computed, got, sent, group)
        mixed = back * weights_TK.flatten()[order, None].to(back.dtype)
        return torch.zeros_like(hidden_TD).index_add(0, order // each, mixed.to(hidden_TD.dtype))

    def _compute(self, rows: Tensor, counts: Tensor) -> Tensor:
        """Rows lie by the process they came from and then by expert, `counts` (e, E/e) of each."""
        owner = torch.arange(self.local, device=rows.device).repeat(counts.shape[0])
        expert_of_row = torch.repeat_interleave(owner, counts.flatten())
        order = torch.argsort(expert_of_row, stable=True)
        parts = torch.split(rows[order], torch.bincount(expert_of_row, minlength=self.local).tolist())
        results = [self._expert(number, part) for number, part in enumerate(parts)]
        return torch.cat(results)[torch.argsort(order)]

    def _expert(self, number: int, rows: Tensor) -> Tensor:
        gate, up = F.linear(rows, self.gate_up_proj[number]).chunk(2, dim=-1)
        return F.linear(self.act_fn(gate) * up, self.down_proj[number])


def spread_experts(model: Any, group: dist.ProcessGroup) -> None:
    """Replace the experts of every layer, in place. Raises BadInput where there are none, or they do not divide."""
    found = [(layer, name) for layer in model.get_decoder().layers for name in _experts_in(layer)]
    if not found:
        raise BadInput("hardware.parallelism.expert: the model has no experts; set it to 1")
    for layer, name in found:
        experts = layer.get_submodule(name)
        count = experts.gate_up_proj.shape[0]
        if count % group.size():
            raise BadInput(f"hardware.parallelism.expert: {group.size()} does not divide the {count} experts")
        parent, _, child = name.rpartition(".")
        setattr(layer.get_submodule(parent), child, SpreadExperts(experts, group))


def _experts_in(layer: nn.Module) -> list[str]:
    return [
        name
        for name, module in layer.named_modules()
        if isinstance(getattr(module, "gate_up_proj", None), nn.Parameter) and hasattr(module, "down_proj")
    ]


def spread(model: nn.Module) -> list[SpreadExperts]:
    return [module for module in model.modules() if isinstance(module, SpreadExperts)]

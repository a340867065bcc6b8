"""One stage of a pipeline as a small model of its own, for passes without gradients: it takes hidden states from the
stage before it, and hands its own to the next.

Shares all weights with the model in training, and keeps keys and values of its own layers only.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from assay_trainer.forward import scaled
from assay_trainer.parallel.stages import own_layers
from assay_trainer.parallel.world import World


@dataclass(frozen=True)
class Said:
    """What the last stage says of the last token (B, 1, V); of others it is hidden states."""

    logits: Tensor


class _Received(nn.Module):
    """In place of the embedding: (B, T) token ids to (B, T, D) hidden states of the stage before."""

    def __init__(self, world: World, width: int) -> None:
        super().__init__()
        self._group, self._from, self._width = world.group("pipeline"), world.place("pipeline") - 1, width

    def forward(self, tokens_BT: Tensor) -> Tensor:
        hidden_BTD = torch.empty((*tokens_BT.shape, self._width), device=tokens_BT.device)
        dist.recv(hidden_BTD, group=self._group, group_src=self._from)
        return hidden_BTD


class _Sent(nn.Module):
    """In place of the last norm: hidden states to the next stage."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._group, self._to = world.group("pipeline"), world.place("pipeline") + 1

    def forward(self, hidden_BTD: Tensor) -> Tensor:
        dist.send(hidden_BTD.float().contiguous(), group=self._group, group_dst=self._to)
        return hidden_BTD


class Relay(nn.Module):
    """All stages must be called alike; what the last one gives is the model's answer."""

    def __init__(self, model: Any, world: World) -> None:
        super().__init__()
        self._last = world.place("pipeline") == world.parallelism.pipeline - 1
        self._head = model.get_output_embeddings()
        self._decoder = _own_decoder(model, world)
        self.config = self._decoder.config

    def get_decoder(self) -> Any:
        return self._decoder

    def get_output_embeddings(self) -> Any:
        return self._head

    def forward(self, input_ids: Tensor, logits_to_keep: int = 1, **options: Any) -> Said:
        hidden = self._decoder(input_ids=input_ids, **options).last_hidden_state[:, -logits_to_keep:]
        return Said(scaled(self.config, self._head(hidden)) if self._last else hidden)


def _own_decoder(model: Any, world: World) -> Any:
    """The model's decoder with this stage's layers alone, counted from 0 as its cache does."""
    whole, own = model.get_decoder(), own_layers(model, world)
    decoder = copy.copy(whole)
    decoder._modules = dict(whole._modules)
    decoder.layers = nn.ModuleList(whole.layers[number] for number in own)
    decoder.config = _config_of(whole.config, own)
    for place, layer in enumerate(decoder.layers):
        for module in layer.modules():
            if hasattr(module, "layer_idx"):
                module.layer_idx = place
    if world.place("pipeline") > 0:
        decoder.embed_tokens = _Received(world, whole.config.hidden_size)
    if world.place("pipeline") < world.parallelism.pipeline - 1:
        decoder.norm = _Sent(world)
    return decoder


def _config_of(config: Any, own: range) -> Any:
    of_stage = copy.deepcopy(config)
    if getattr(config, "layer_types", None):
        of_stage.layer_types = config.layer_types[own.start : own.stop]
    of_stage.num_hidden_layers = len(own)
    return of_stage

"""The optimizer's state as the shards that many processes wrote: put together again, for any number of processes.

Needs no process group: a run may go on with more or fewer processes than wrote its state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from assay_trainer.checkpoints.layout import OPTIMIZER

PLACES = "places"
SHARD = "optimizer-{rank:05d}-of-{count:05d}.safetensors"


class Placement(BaseModel):
    """A part: where it begins in each dimension of the whole, whose shape is `whole`."""

    model_config = ConfigDict(frozen=True)

    whole: tuple[int, ...]
    start: tuple[int, ...]


def read_optimizer(folder: Path) -> dict[str, Tensor]:
    """The whole optimizer state by name, from any number of shards, or from the one file of a run of one process.

    Raises ValueError where a part is missing."""
    if (folder / OPTIMIZER).exists():
        return dict(load_file(folder / OPTIMIZER))
    parts: dict[str, list[tuple[Placement, Tensor]]] = {}
    for path in sorted(folder.glob("optimizer-*-of-*.safetensors")):
        with safe_open(path, framework="pt") as shard:
            places = json.loads((shard.metadata() or {}).get(PLACES, "{}"))
            for name, place in places.items():
                parts.setdefault(name, []).append((Placement.model_validate(place), shard.get_tensor(name)))
    return assembled(parts)


def assembled(parts: Mapping[str, list[tuple[Placement, Tensor]]]) -> dict[str, Tensor]:
    """Whole tensors from parts by name. Raises ValueError where a part of one is missing."""
    found = {}
    for name, pieces in parts.items():
        whole = torch.empty(pieces[0][0].whole, dtype=pieces[0][1].dtype)
        filled = 0
        for placement, part in pieces:
            window = tuple(slice(at, at + size) for at, size in zip(placement.start, part.shape, strict=True))
            whole[window] = part
            filled += part.numel()
        if filled != whole.numel():
            raise ValueError(f"{name}: its parts hold {filled} of {whole.numel()} numbers")
        found[name] = whole
    return found

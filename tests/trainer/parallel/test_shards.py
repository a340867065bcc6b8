"""An optimizer's state that several processes wrote, put together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from assay_trainer.checkpoints.shards import PLACES, SHARD, Placement, read_optimizer
from safetensors.torch import save_file

pytestmark = pytest.mark.real


def write(
    folder: Path, rank: int, name: str, part: torch.Tensor, whole: tuple[int, ...], start: tuple[int, ...]
) -> None:
    places = {name: Placement(whole=whole, start=start).model_dump()}
    save_file({name: part}, folder / SHARD.format(rank=rank, count=2), metadata={PLACES: json.dumps(places)})


def test_parts_come_together_at_their_places(tmp_path: Path) -> None:
    whole = torch.arange(12.0).view(3, 4)
    write(tmp_path, 0, "w:exp_avg", whole[:2].contiguous(), (3, 4), (0, 0))
    write(tmp_path, 1, "w:exp_avg", whole[2:].contiguous(), (3, 4), (2, 0))
    assert torch.equal(read_optimizer(tmp_path)["w:exp_avg"], whole)


def test_a_missing_part_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, 0, "w:exp_avg", torch.zeros(2, 4), (3, 4), (0, 0))
    with pytest.raises(ValueError, match=r"w:exp_avg: its parts hold 8 of 12"):
        read_optimizer(tmp_path)

"""Checkpoints of a run over many processes: a plain model for others, and the resume state shard by shard.

Safetensors and JSON only. The lead process alone talks to the object store; the others write beside it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from assay_schemas.algorithms import Lora
from safetensors.torch import load_file, save_file
from torch import Tensor

from assay_trainer.checkpoints.export import export_model
from assay_trainer.checkpoints.layout import METRICS, OWN
from assay_trainer.checkpoints.shards import PLACES, SHARD, Placement
from assay_trainer.checkpoints.writer import CheckpointWriter
from assay_trainer.lora import add_adapters
from assay_trainer.optimizer import MOMENTS
from assay_trainer.parallel.placement import Placed, cut, placed_parameters, whole_of
from assay_trainer.parallel.sharding import expert_names, local_of
from assay_trainer.parallel.world import World, sum_over_all
from assay_trainer.stepper import Stepping

Parts = Callable[[Stepping], Iterator[Placed]]
"""What a process's optimizer updates."""
PATIENCE_S = 60.0
"""How long the others wait at once for the lead's store: far below the time limit of a collective."""


class SpreadCheckpoints:
    """Takes checkpoints with all processes. `writer` is the lead's; `folder` is one that all of them reach.

    `processor_s` is what all processes together had used at the last one, in seconds.
    """

    def __init__(
        self, world: World, writer: CheckpointWriter | None, shell: Callable[[], Any], lora: Lora | None,
        base: Path, folder: Path, parts: Parts,
    ) -> None:  # fmt: skip
        self._world = world
        self._writer = writer
        self._shell = shell
        self._lora = lora
        self._base = base
        self._folder = folder
        self._parts = parts
        self.processor_s = 0.0

    def take(self, stepper: Stepping, step: int, validation_loss: float | None, metrics: bytes) -> None:
        """Every process calls it after the same step. As with one process, a slow store holds up the training."""
        self._wait_for_room()
        folder = self._folder / f"{step:08d}"
        model, resume = folder / "model", folder / "resume"
        for part in (model, resume):
            part.mkdir(parents=True, exist_ok=True)
        write_optimizer(stepper.optimizer, self._parts(stepper), resume, self._world)
        weights = gathered(stepper.model, self._world, folder)
        if self._world.lead:
            plain = self._shell()
            plain.load_state_dict(weights, strict=False, assign=True)
            plain.tie_weights()
            export_model(plain, self._lora, self._base, model)
            save_file(stepper.own_tensors(), resume / OWN)
            (resume / METRICS).write_bytes(metrics)
        self.processor_s = sum_over_all([time.process_time()], self._world.device)[0]
        if self._writer is not None:
            self._writer.upload(folder, step, validation_loss)

    def _wait_for_room(self) -> None:
        """The lead alone knows what is on its way; the others are told again and again, so that none times out."""
        waits = True
        while waits:
            full = self._writer is not None and not self._writer.room(PATIENCE_S)
            waits = sum_over_all([float(full)], self._world.device)[0] > 0

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def plain_shell(model_class: type[Any], config: Any, lora: Lora | None) -> Any:
    """A model of the same shape without weights, to export whole weights through."""
    with torch.device("meta"):
        shell = model_class(config)
    if lora is not None:
        add_adapters(shell, lora)
    return shell


def gathered(model: Any, world: World, folder: Path) -> dict[str, Tensor]:
    """All weights by name, on the lead process; nothing on the others. Stages pass theirs on in files in `folder`."""
    experts = expert_names(model)
    whole: dict[str, Tensor] = {}
    for each in placed_parameters(model, experts, world):
        tensor = whole_of(each.parameter.detach(), world, expert=each.expert)
        if _speaks_for_stage(world):
            whole[each.name] = tensor.cpu().contiguous()
    if world.parallelism.pipeline == 1:
        return whole
    if _speaks_for_stage(world):
        save_file(whole, folder / f"stage-{world.place('pipeline')}.safetensors")
    dist.barrier()
    if not world.lead:
        return {}
    for stage in range(1, world.parallelism.pipeline):
        path = folder / f"stage-{stage}.safetensors"
        whole |= load_file(path)
    for path in folder.glob("stage-*.safetensors"):
        path.unlink()
    return whole


def _speaks_for_stage(world: World) -> bool:
    return all(world.place(name) == 0 for name in ("expert", "data", "context", "tensor"))


def model_parts(stepper: Stepping, world: World) -> Iterator[Placed]:
    """The parameters of the model as they lie here."""
    return placed_parameters(stepper.model, expert_names(stepper.model), world)


def write_optimizer(optimizer: torch.optim.Optimizer, parts: Iterator[Placed], folder: Path, world: World) -> None:
    """Write the parts of the optimizer's state that lie here, once for each part that several processes hold."""
    tensors: dict[str, Tensor] = {}
    places: dict[str, Any] = {}
    for each in parts:
        state = optimizer.state.get(each.parameter)
        if not state or not each.first:
            continue
        for moment in MOMENTS:
            value = local_of(state[moment]).detach().cpu()
            scalar = value.ndim == 0
            if scalar and any(each.placement.start):
                continue
            placement = Placement(whole=(), start=()) if scalar else each.placement
            tensors[f"{each.name}:{moment}"] = value.contiguous()
            places[f"{each.name}:{moment}"] = placement.model_dump()
    name = SHARD.format(rank=world.rank, count=world.parallelism.processes)
    save_file(tensors, folder / name, metadata={PLACES: json.dumps(places)})


def restore_spread(optimizer: torch.optim.Optimizer, parts: Iterator[Placed], tensors: dict[str, Tensor]) -> None:
    """Put an optimizer's whole state back, each process its own part."""
    for each in parts:
        if f"{each.name}:{MOMENTS[0]}" not in tensors:
            continue
        state = {moment: tensors[f"{each.name}:{moment}"] for moment in MOMENTS}
        rests = local_of(each.parameter).device
        optimizer.state[each.parameter] = {
            moment: cut(value, each.parameter, each.placement) if value.ndim else value.clone().to(rests)
            for moment, value in state.items()
        }

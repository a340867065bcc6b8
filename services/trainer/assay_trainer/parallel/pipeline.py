"""Pipeline parallelism of algorithms that learn from rows: each process keeps some of the layers.

Steps only; what a stage is, and how passes go through all, is in `stages`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from assay_schemas.algorithms import Hyperparameters

from assay_trainer.algorithms.base import Algorithm, Example, Loss
from assay_trainer.errors import BadInput
from assay_trainer.parallel.sharding import Computation, rest, shard
from assay_trainer.parallel.shares import passes_of
from assay_trainer.parallel.stages import (
    Micro,
    Stage,
    asked,
    keep_own_layers,
    micro_of,
    rows_of_a_pass,
    run_through,
)
from assay_trainer.parallel.stepper import ParallelStepper
from assay_trainer.parallel.world import World
from assay_trainer.stepper import LOSS, Validation, precision


class PipelineStepper(ParallelStepper):
    """Steps of one stage. All stages see the same passes; gradients of their layers never leave them."""

    _stage: Stage

    @classmethod
    def of(
        cls,
        model: Any,
        algorithm: Algorithm,
        hyperparameters: Hyperparameters,
        seed: int,
        world: World,
        *,
        offload: bool,
    ) -> PipelineStepper:
        if getattr(hyperparameters, "neftune_alpha", 0.0) > 0:
            raise BadInput("hyperparameters.neftune_alpha: not with hardware.parallelism.pipeline; set it to 0")

        def loss(facade: Any, examples: list[Example]) -> Loss:
            return algorithm.loss(facade, examples, world.device)

        keep_own_layers(model, world)
        stage = Stage(model, loss, world)
        used = shard(stage, [model.get_decoder().layers[number] for number in stage.own], world, offload=offload)
        stepper = cls(Computation(model, algorithm), algorithm, hyperparameters, seed, world, used)
        stepper._stage = stage
        return stepper

    def _gradients(self, examples: Sequence[Example]) -> dict[str, float]:
        means = self._run(examples, learning=True)
        self._used.drop_unused(self.device)
        return means

    def validate(self, examples: Sequence[Example]) -> Validation | None:
        if not sum(example.weight for example in examples):
            return None
        self.model.eval()
        with torch.no_grad():
            means = self._run(examples, learning=False)
        rest(self._stage)
        return Validation(means.pop(LOSS), means)

    def _run(self, examples: Sequence[Example], *, learning: bool) -> dict[str, float]:
        terms = sum(example.weight for example in examples)
        micros = self._micros(examples)
        self._stage.terms, self._stage.sums = terms, {}
        with precision(self.hyperparameters, self.device):
            run_through(self._stage, micros, self.world, learning=learning)
        computed = self._stage.sums
        return self._over_all({name: computed.get(name, 0.0) for name in told(sorted(computed), self.world)}, terms)

    def _micros(self, examples: Sequence[Example]) -> list[Micro]:
        """The passes of this process's row place, filled up to one length."""
        places, stages = self.world.row_places, self.world.parallelism.pipeline
        rows = self.hyperparameters.micro_batch_size or rows_of_a_pass(-(-len(examples) // places), stages)
        parts = passes_of(examples, self.world.row_place, places, rows, stages)
        wanted = [asked(self._stage.loss_of, self.model, part.examples) for part in parts]
        longest = max(options["input_ids"].shape[1] for options in wanted)
        most = longest_of_all(longest, self.device)
        return [micro_of(part, options, most) for part, options in zip(parts, wanted, strict=True)]


def told(names: Sequence[str], world: World) -> list[str]:
    """The names that the last stage gives, on every stage: what a loss counts is known where it is computed alone."""
    group, last = world.group("pipeline"), world.parallelism.pipeline - 1
    text = torch.frombuffer(bytearray(json.dumps(names).encode()), dtype=torch.uint8).to(world.device)
    size = torch.tensor(len(text), device=world.device)
    dist.broadcast(size, group=group, group_src=last)
    if world.place("pipeline") != last:
        text = text.new_empty(int(size))
    dist.broadcast(text, group=group, group_src=last)
    found: list[str] = json.loads(text.cpu().numpy().tobytes())
    return found


def longest_of_all(tokens: int, device: torch.device) -> int:
    """The most tokens that any process has in a pass."""
    most = torch.tensor(tokens, device=device)
    dist.all_reduce(most, dist.ReduceOp.MAX)
    return int(most)

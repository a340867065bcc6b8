"""From a whole model to the part of it that this process trains: split, spread, checkpointed, sharded, in that order.

Raises BadInput for what cannot be combined; never moves data between processes itself.
"""

from __future__ import annotations

from typing import Any

from assay_schemas.algorithms import Hyperparameters
from assay_schemas.experiments import Hardware

from assay_trainer.algorithms.base import Algorithm
from assay_trainer.parallel.context import split_tokens
from assay_trainer.parallel.experts import spread_experts
from assay_trainer.parallel.sharding import Computation, shard
from assay_trainer.parallel.stepper import ParallelStepper
from assay_trainer.parallel.tensor import split_matrices
from assay_trainer.parallel.world import World
from assay_trainer.stepper import Stepper


def build_stepper(
    model: Any, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int, world: World, hardware: Hardware
) -> Stepper:
    """The stepper of this process. `model` is whole, equal on every process, and given up."""
    layout = world.parallelism
    if layout.expert > 1:
        spread_experts(model, world.group("expert"))
    if layout.tensor > 1:
        split_matrices(model, world.mesh["tensor"])
    if layout.context > 1:
        split_tokens(model, world.group("context"), layout.tensor)
    if layout.pipeline > 1:
        from assay_trainer.parallel.pipeline import PipelineStepper

        return PipelineStepper.of(model, algorithm, hyperparameters, seed, world, offload=hardware.cpu_offload)
    computation = Computation(model, algorithm)
    used = shard(computation, list(model.get_decoder().layers), world, offload=hardware.cpu_offload)
    return ParallelStepper(computation, algorithm, hyperparameters, seed, world, used)

"""One optimizer step over many processes: each computes its share of one loss, all apply the same update.

Every number that is reported is the whole job's, equal on every process.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from assay_schemas.algorithms import Hyperparameters

from assay_trainer.algorithms.base import Algorithm, Example
from assay_trainer.optimizer import build_optimizer
from assay_trainer.parallel.sharding import Computation, copies, expert_names, local_of, rest
from assay_trainer.parallel.shares import Pass, passes_of
from assay_trainer.parallel.used import Used
from assay_trainer.parallel.world import World, sum_over_all
from assay_trainer.stepper import LOSS, Stepper, add_sums, precision, seed_of


class ParallelStepper(Stepper):
    """`computation` holds the model as it lies on this process: split, sharded, or both."""

    def __init__(
        self, computation: Computation, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int, world: World,
        used: Used,
    ) -> None:  # fmt: skip
        self.model = computation.model
        self.algorithm = algorithm
        self.hyperparameters = hyperparameters
        self.device = world.device
        self.world = world
        self._computation = computation
        self._used = used
        self._seed = seed
        self._trainable = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self._experts = expert_names(self.model)
        self.optimizer = build_optimizer(self.model, hyperparameters)

    def _set_seed(self, number: int) -> None:
        torch.manual_seed(seed_of(self._seed, number, self.world.row_place))

    def _gradients(self, examples: Sequence[Example]) -> dict[str, float]:
        terms = sum(example.weight for example in examples)
        sums: dict[str, float] = {}
        for part in self._passes(examples):
            with precision(self.hyperparameters, self.device):
                total = self._computation(part.examples, self.device)
            share = 1.0 / (terms * self.world.parallelism.context) if part.counts else 0.0
            (total * share).backward()
            self._add(sums, part)
        self._used.drop_unused(self.device)
        return self._over_all(sums, terms)

    def _means(self, examples: Sequence[Example], terms: int) -> dict[str, float]:
        sums: dict[str, float] = {}
        with torch.no_grad(), precision(self.hyperparameters, self.device):
            for part in self._passes(examples):
                self._computation(part.examples, self.device)
                self._add(sums, part)
        rest(self._computation)
        return self._over_all(sums, terms)

    def _passes(self, examples: Sequence[Example]) -> list[Pass[Example]]:
        rows = self.hyperparameters.micro_batch_size
        return passes_of(examples, self.world.row_place, self.world.row_places, rows)

    def _add(self, sums: dict[str, float], part: Pass[Example]) -> None:
        loss = self._computation.last
        assert loss is not None
        if part.counts:
            add_sums(sums, loss)
        else:
            for name in (LOSS, *loss.sums):
                sums.setdefault(name, 0.0)

    def _over_all(self, sums: dict[str, float], terms: int) -> dict[str, float]:
        """Means over the whole step. Processes of one tensor or context group computed the same numbers."""
        same = self.world.parallelism.context * self.world.parallelism.tensor
        names = sorted(sums)
        totals = sum_over_all([sums[name] for name in names], self.device)
        return {name: total / same / terms for name, total in zip(names, totals, strict=True)}

    def _clip(self, limit: float) -> float:
        """The norm of the whole gradient, in float64, and every part scaled down where it is over the limit."""
        square = 0.0
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None:
                part = local_of(parameter.grad).double()
                square += float((part * part).sum()) / copies(parameter, self.world, expert=name in self._experts)
        norm = math.sqrt(sum_over_all([square], self.device)[0])
        if math.isfinite(norm) and norm > limit:
            for parameter in self._trainable:
                if parameter.grad is not None:
                    local_of(parameter.grad).mul_(limit / (norm + 1e-6))
        return norm

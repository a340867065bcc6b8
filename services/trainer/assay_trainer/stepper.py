"""One optimizer step: forward passes, gradients, clipping, update; and the loss on held-out rows.

Never decides when to stop, and writes nothing.
"""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch
from assay_schemas.algorithms import Hyperparameters
from torch import Tensor

from assay_trainer.data.packing import passes
from assay_trainer.errors import OutOfMemory
from assay_trainer.memory import memory_lacking_as
from assay_trainer.optimizer import build_optimizer, learning_rate, set_learning_rate

if TYPE_CHECKING:
    from assay_trainer.algorithms.base import Algorithm, Example, Loss

LOSS = "loss"


@dataclass(frozen=True)
class StepOutcome:
    """Mean loss per term in nats, the gradient's norm before clipping, the rate that was applied, other means.

    `lengths` are those, in tokens, of the sequences that gradients were taken of, each as often as they were.
    """

    loss: float
    grad_norm: float
    learning_rate: float
    tokens: int
    metrics: Mapping[str, float] = field(default_factory=dict)
    lengths: Sequence[int] = ()

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


@dataclass(frozen=True)
class Validation:
    """Means over the terms of held-out examples."""

    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)


class Stepping(Protocol):
    """A model in training, as the loop and the checkpoints know it."""

    model: Any
    optimizer: torch.optim.Optimizer
    device: torch.device
    hyperparameters: Hyperparameters

    def step(self, number: int, steps: int, examples: Sequence[Example]) -> StepOutcome:
        """Take optimizer step `number` (from 0) of `steps`. Raises OutOfMemory."""

    def validate(self, examples: Sequence[Example]) -> Validation | None:
        """What held-out examples say; None where there are none."""

    def own_tensors(self) -> dict[str, Tensor]:
        """What the next step depends on besides weights, optimizer and step number."""

    def restore_own(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `own_tensors` gave."""


class Stepper:
    """Takes one update a step. All randomness of step n comes from (seed, n), so that n can be run again."""

    def __init__(self, model: Any, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int) -> None:
        self.model = model
        self.algorithm = algorithm
        self.hyperparameters = hyperparameters
        self.optimizer: torch.optim.Optimizer = build_optimizer(model, hyperparameters)
        self.device = next(model.parameters()).device
        self._seed = seed
        self._trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step(self, number: int, steps: int, examples: Sequence[Example]) -> StepOutcome:
        """Run optimizer step `number` (from 0). Where loss or gradient are not finite, nothing is updated."""
        rate = learning_rate(number, steps, self.hyperparameters)
        set_learning_rate(self.optimizer, rate)
        self._set_seed(number)
        self.model.train()
        tokens = sum(example.length for example in examples)
        with memory_lacking_as(lambda: OutOfMemory(number + 1, tokens)):
            means = self._gradients(examples)
        limit = self.hyperparameters.gradient_clip or math.inf
        norm = self._clip(limit)
        lengths = [length for example in examples for length in example.lengths]
        outcome = StepOutcome(means.pop(LOSS), norm, rate, tokens, means, lengths)
        if outcome.finite:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return outcome

    def _set_seed(self, number: int) -> None:
        torch.manual_seed(seed_of(self._seed, number))

    def _clip(self, limit: float) -> float:
        """Scale the gradient down to the limit; its norm before."""
        return float(torch.nn.utils.clip_grad_norm_(self._trainable, limit, foreach=True))

    def _gradients(self, examples: Sequence[Example]) -> dict[str, float]:
        """Accumulate the gradient of the mean loss over the whole step's terms; that mean, and those of the metrics."""
        terms = sum(example.weight for example in examples)
        sums: dict[str, float] = {}
        for part in passes(examples, self.hyperparameters.micro_batch_size):
            with precision(self.hyperparameters, self.device):
                loss = self.algorithm.loss(self.model, part, self.device)
            (loss.total / terms).backward()  # type: ignore[no-untyped-call]
            add_sums(sums, loss)
        return {name: total / terms for name, total in sums.items()}

    def validate(self, examples: Sequence[Example]) -> Validation | None:
        terms = sum(example.weight for example in examples)
        if not terms:
            return None
        self.model.eval()
        means = self._means(examples, terms)
        return Validation(means.pop(LOSS), means)

    def _means(self, examples: Sequence[Example], terms: int) -> dict[str, float]:
        """Loss and metrics of held-out examples that have `terms` terms, without gradients."""
        sums: dict[str, float] = {}
        with torch.inference_mode(), precision(self.hyperparameters, self.device):
            for part in passes(examples, self.hyperparameters.micro_batch_size):
                add_sums(sums, self.algorithm.loss(self.model, part, self.device))
        return {name: total / terms for name, total in sums.items()}

    def own_tensors(self) -> dict[str, Tensor]:
        return {}

    def restore_own(self, tensors: Mapping[str, Tensor]) -> None:
        """Nothing to put back."""


def seed_of(*parts: int) -> int:
    """A seed for torch that depends on every part; a processor's generator looks at its last 32 bits alone."""
    return random.Random("/".join(map(str, parts))).getrandbits(63)


def precision(hyperparameters: Hyperparameters, device: torch.device) -> contextlib.AbstractContextManager[Any]:
    """In what number format a forward pass computes."""
    if hyperparameters.dtype == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def add_sums(sums: dict[str, float], loss: Loss) -> None:
    """Add a pass's sums to those of the step."""
    sums[LOSS] = sums.get(LOSS, 0.0) + float(loss.total.detach())
    for name, value in loss.sums.items():
        sums[name] = sums.get(name, 0.0) + float(value.detach() if isinstance(value, Tensor) else value)

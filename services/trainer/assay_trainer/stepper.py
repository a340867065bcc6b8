"""One optimizer step: forward passes, gradients, clipping, update; and the loss on held-out rows.

Never decides when to stop, and writes nothing.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from assay_schemas.algorithms import Hyperparameters

from assay_trainer.algorithms.base import Algorithm, Example
from assay_trainer.data.packing import passes
from assay_trainer.errors import OutOfMemory
from assay_trainer.optimizer import build_optimizer, learning_rate, set_learning_rate

SEED_STRIDE = 2**32


@dataclass(frozen=True)
class StepOutcome:
    """Mean loss per term in nats, the gradient's norm before clipping, and the rate that was applied."""

    loss: float
    grad_norm: float
    learning_rate: float
    tokens: int

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


class Stepper:
    """A model in training. All randomness of step n comes from (seed, n), so that n can be run again."""

    def __init__(self, model: Any, algorithm: Algorithm, hyperparameters: Hyperparameters, seed: int) -> None:
        self.model = model
        self.algorithm = algorithm
        self.hyperparameters = hyperparameters
        self.optimizer = build_optimizer(model, hyperparameters)
        self.device = next(model.parameters()).device
        self._seed = seed
        self._trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def step(self, number: int, steps: int, examples: Sequence[Example]) -> StepOutcome:
        """Run optimizer step `number` (from 0). Where loss or gradient are not finite, nothing is updated."""
        rate = learning_rate(number, steps, self.hyperparameters)
        set_learning_rate(self.optimizer, rate)
        torch.manual_seed(self._seed * SEED_STRIDE + number)
        self.model.train()
        tokens = sum(example.length for example in examples)
        try:
            loss = self._gradients(examples)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise OutOfMemory(number + 1, tokens) from error
        limit = self.hyperparameters.gradient_clip or math.inf
        norm = float(torch.nn.utils.clip_grad_norm_(self._trainable, limit, foreach=True))
        outcome = StepOutcome(loss, norm, rate, tokens)
        if outcome.finite:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return outcome

    def _gradients(self, examples: Sequence[Example]) -> float:
        """Accumulate the gradient of the mean loss over the whole step's terms; that mean."""
        terms = sum(example.weight for example in examples)
        total = 0.0
        for part in passes(examples, self.hyperparameters.micro_batch_size):
            with self._precision():
                loss = self.algorithm.loss(self.model, part, self.device)
            (loss / terms).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total / terms

    def validate(self, examples: Sequence[Example]) -> float | None:
        """Mean loss per term over held-out examples; None where there are none."""
        terms = sum(example.weight for example in examples)
        if not terms:
            return None
        self.model.eval()
        total = 0.0
        with torch.inference_mode(), self._precision():
            for part in passes(examples, self.hyperparameters.micro_batch_size):
                total += float(self.algorithm.loss(self.model, part, self.device))
        return total / terms

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.hyperparameters.dtype == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

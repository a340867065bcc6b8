"""One step of online training: sample, score, then several updates on minibatches of what was sampled.

Never decides when to stop, and writes nothing. All randomness of step n comes from (seed, n).
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from assay_trainer.algorithms.base import Loss
from assay_trainer.algorithms.online.algorithm import OnlineAlgorithm
from assay_trainer.algorithms.online.collection import Collector
from assay_trainer.algorithms.online.samples import Experience, sample_metrics
from assay_trainer.errors import OutOfMemory
from assay_trainer.memory import memory_lacking_as
from assay_trainer.optimizer import (
    build_optimizer,
    learning_rate,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)
from assay_trainer.peers import summed
from assay_trainer.rollouts.base import PolicyNotFinite
from assay_trainer.stepper import LOSS, StepOutcome, Stepper, Validation, precision, seed_of

BESIDE = "beside."


class OnlineStepper(Stepper):
    """The loss of an update is weighted by the algorithm, so that its sum over the minibatch is what is minimised."""

    algorithm: OnlineAlgorithm

    def __init__(self, model: Any, algorithm: OnlineAlgorithm, collector: Collector, seed: int) -> None:
        super().__init__(model, algorithm, algorithm.hyperparameters, seed)
        self._collector = collector
        self._beside = algorithm.beside(model).to(self.device)
        self._trainable += list(self._beside.parameters())
        self._own = algorithm.peers.own_part(model)
        self.optimizer = build_optimizer(nn.ModuleList([self._own.module, self._beside]), algorithm.hyperparameters)

    def step(self, number: int, steps: int, examples: Sequence[Any]) -> StepOutcome:
        """`loss` and `grad_norm` are means over the step's updates. An update that is not finite ends the step."""
        rate = learning_rate(number, steps, self.hyperparameters)
        set_learning_rate(self.optimizer, rate)
        torch.manual_seed(seed_of(self._seed, number))
        tokens = sum(example.length for example in examples)
        try:
            with memory_lacking_as(lambda: OutOfMemory(number + 1, tokens)):
                collected = self._collector.collect(self.model, examples, self._sampling_seed(number))
                metrics = sample_metrics(collected.groups) | {"groups_without_spread": collected.without_spread}
                self.model.eval()
                with torch.no_grad(), precision(self.hyperparameters, self.device):
                    experiences = self.algorithm.experiences(self.model, collected.groups, self.device)
                tokens = sum(experience.length for experience in experiences)
                updates = self._updates(number, experiences)
        except PolicyNotFinite:
            return StepOutcome(math.nan, math.nan, rate, tokens)
        means = {name: _mean(updates, name) for name in (updates[0] if updates else {})}
        loss, norm = means.pop(LOSS, 0.0), means.pop("grad_norm", 0.0)
        epochs = self.algorithm.hyperparameters.minibatch_epochs
        lengths = self.algorithm.lengths(self.model, experiences) * epochs
        return StepOutcome(loss, norm, rate, tokens, metrics | means, lengths)

    def _sampling_seed(self, number: int) -> int:
        """Seeds of steps and of runs lie apart; what is drawn again within a step has the next ones."""
        return random.Random(f"{self._seed}/{number}/rollout").randrange(2**30)

    def _updates(self, number: int, experiences: Sequence[Experience]) -> list[dict[str, float]]:
        """An update for each minibatch of each epoch; nothing to learn from is no update."""
        done: list[dict[str, float]] = []
        self.model.train()
        for epoch in range(self.algorithm.hyperparameters.minibatch_epochs):
            for minibatch in self._minibatches(experiences, f"{self._seed}/{number}/{epoch}"):
                done.append(self._update(minibatch))
                if not math.isfinite(done[-1][LOSS] + done[-1]["grad_norm"]):
                    return done
        return done

    def _minibatches(self, experiences: Sequence[Experience], seed: str) -> list[list[Experience]]:
        order = list(experiences)
        count = min(self.algorithm.hyperparameters.minibatches, len(order))
        if count > 1:
            random.Random(seed).shuffle(order)
        return [order[at::count] for at in range(count)]

    def _update(self, minibatch: Sequence[Experience]) -> dict[str, float]:
        sums: dict[str, float] = {LOSS: 0.0}
        tokens = sum(experience.weight for experience in minibatch)
        parts = self.algorithm.own_passes(self.model, self.algorithm.weighted(minibatch))
        for loss in self.algorithm.passing.learn(self.model, parts, self._loss, self.algorithm.peers.sharers):
            sums[LOSS] += float(loss.total.detach())
            for name, value in loss.sums.items():
                sums[name] = sums.get(name, 0.0) + float(value) / tokens
        sums = summed(sums, self.algorithm.peers)
        self.algorithm.peers.add_up_gradients(self._trainable)
        norm = self.algorithm.peers.clipped(self._trainable, self.hyperparameters.gradient_clip or math.inf)
        if math.isfinite(norm) and math.isfinite(sums[LOSS]):
            self._own.take_gradients()
            self.optimizer.step()
            self._own.tell_weights()
        self.optimizer.zero_grad(set_to_none=True)
        self.model.zero_grad(set_to_none=True)
        return {**sums, "grad_norm": norm}

    def _loss(self, model: Any, part: list[Experience]) -> Loss:
        with precision(self.hyperparameters, self.device):
            return self.algorithm.loss(model, part, self.device)

    def validate(self, examples: Sequence[Any]) -> Validation | None:
        """The mean reward of the likeliest completions of held-out prompts; the loss is minus that."""
        if not examples:
            return None
        metrics = sample_metrics([self._collector.greedy(self.model, examples)])
        if "reward" not in metrics:
            return None
        return Validation(-metrics["reward"], metrics)

    def own_tensors(self) -> dict[str, Tensor]:
        """What is trained beside the policy, with its optimizer's state."""
        weights = {f"{BESIDE}{name}": tensor.detach() for name, tensor in self._beside.named_parameters()}
        moments = optimizer_tensors(self._beside, self.optimizer)
        return weights | {f"{BESIDE}{name}": tensor for name, tensor in moments.items()}

    def restore_own(self, tensors: Mapping[str, Tensor]) -> None:
        own = {name.removeprefix(BESIDE): tensor for name, tensor in tensors.items()}
        with torch.no_grad():
            for name, parameter in self._beside.named_parameters():
                parameter.copy_(own[name])
        restore_optimizer(self._beside, self.optimizer, own)


def _mean(updates: Sequence[Mapping[str, float]], name: str) -> float:
    return sum(update.get(name, 0.0) for update in updates) / len(updates)

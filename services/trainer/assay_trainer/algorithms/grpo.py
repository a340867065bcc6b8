"""GRPO: a sample is as good as it is better than the others of its prompt (Shao et al. 2024, DeepSeekMath, eq. 3).

With Dr. GRPO's unbiased normalisation (Liu et al. 2025) and DAPO's token-level loss, higher upper clip and dynamic
sampling (Yu et al. 2025) by option. Never samples or scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from assay_schemas.algorithms import ALGORITHMS, GrpoHyperparameters
from torch import Tensor

from assay_trainer.algorithms.base import Loss
from assay_trainer.algorithms.online.algorithm import OnlineAlgorithm
from assay_trainer.algorithms.online.objective import (
    clipped_policy_loss,
    importance_weights,
    joined,
    kl_estimate,
    mismatch_sums,
)
from assay_trainer.algorithms.online.policy import read_policy
from assay_trainer.algorithms.online.samples import Experience, Group, experience_of

EPSILON = 1e-4


def group_advantages(rewards_G: Tensor, scaled: bool) -> Tensor:
    """(r - mean(r)) / (std(r) + eps) over a group (DeepSeekMath sec. 4.1.2); Dr. GRPO leaves the division out.

    The standard deviation is the sample's (n - 1). Shapes: (G) to (G); zeros for a group of one.
    """
    if len(rewards_G) < 2:
        return torch.zeros_like(rewards_G)
    centred_G = rewards_G - rewards_G.mean()
    return centred_G / (rewards_G.std() + EPSILON) if scaled else centred_G


class Grpo(OnlineAlgorithm):
    row_formats = ALGORITHMS["GRPO"].row_formats
    hyperparameters_class = GrpoHyperparameters

    def __init__(self, hyperparameters: GrpoHyperparameters, tokenizer: Any) -> None:
        super().__init__(hyperparameters, tokenizer)
        self.options = hyperparameters

    @property
    def samples_each(self) -> int:
        return self.options.group_size

    @property
    def resampling_rounds(self) -> int:
        return self.options.resampling_rounds if self.options.dynamic_sampling else 0

    def experiences(self, model: Any, groups: Sequence[Group], device: torch.device) -> list[Experience]:
        """The old log-probabilities are read only where there is more than one update to compare with."""
        found = [experience for group in groups for experience in self._of_group(group)]
        if self.options.minibatch_epochs * self.options.minibatches > 1:
            read = self.read(model, found, device)
            found = [replace(experience, old_logprobs_N=logprobs_N) for experience, (logprobs_N,) in read]
        return self.with_reference(model, found, device)

    def _of_group(self, group: Group) -> list[Experience]:
        valid = [sample for sample in group if sample.reward is not None]
        rewards_G = torch.tensor([sample.reward for sample in valid], dtype=torch.float32)
        advantages = group_advantages(rewards_G, scaled=self.options.loss != "dr_grpo").tolist()
        made = [experience_of(sample) for sample in valid]
        return [
            replace(experience, advantages_N=torch.full((experience.weight,), advantage))
            for experience, advantage in zip(made, advantages, strict=True)
        ]

    def weighted(self, minibatch: Sequence[Experience]) -> list[Experience]:
        """grpo: 1 / (B |o_i|), a mean over samples of means over tokens (eq. 3). dapo: 1 / sum |o_i|, a mean over
        tokens (DAPO eq. 12). dr_grpo: 1 / (B L) with L the longest completion allowed (Dr. GRPO sec. 3.2)."""
        samples, tokens = len(minibatch), sum(experience.weight for experience in minibatch)
        match self.options.loss:
            case "grpo":
                weights = [1 / (samples * experience.weight) for experience in minibatch]
            case "dapo":
                weights = [1 / tokens] * samples
            case "dr_grpo":
                weights = [1 / (samples * self.options.max_completion_length)] * samples
        return [replace(each, token_weight=weight) for each, weight in zip(minibatch, weights, strict=True)]

    def loss(self, model: torch.nn.Module, examples: Sequence[Experience], device: torch.device) -> Loss:
        """Per token (N over all examples): -min(r A, clip(r) A) + beta KL, r the ratio to the old policy.

        The `k1` penalty is taken off the advantage, since the gradient of k1 itself is zero on average; `k3` is
        a term of the loss (DeepSeekMath eq. 4).
        """
        options = self.options
        reading = read_policy(model, examples, options.temperature, self.padding_id, device)
        new_N = reading.logprobs_N
        old_N = new_N.detach() if examples[0].old_logprobs_N is None else joined(examples, "old_logprobs_N", device)
        sampled_N = joined(examples, "sampled_logprobs_N", device)
        advantages_N = joined(examples, "advantages_N", device)
        weights_N = torch.cat([torch.full((example.weight,), example.token_weight) for example in examples]).to(device)
        sums: dict[str, Any] = {"entropy": reading.entropies_N.sum()} | mismatch_sums(old_N, sampled_N)
        penalty_N: Tensor | float = 0.0
        if options.kl_coefficient > 0:
            reference_N = joined(examples, "reference_logprobs_N", device)
            sums["kl"] = kl_estimate(new_N.detach(), reference_N, "k3").sum()
            if options.kl_estimator == "k1":
                advantages_N = advantages_N - options.kl_coefficient * (old_N - reference_N)
            else:
                penalty_N = options.kl_coefficient * kl_estimate(new_N, reference_N, "k3")
        losses_N, clipped_N = clipped_policy_loss(new_N, old_N, advantages_N, options.clip, options.clip_high)
        sums["clip_fraction"] = clipped_N.sum()
        losses_N = losses_N * importance_weights(old_N, sampled_N, options.importance_cap) + penalty_N
        return Loss((losses_N * weights_N).sum(), sums)

"""PPO on text (Schulman et al. 2017; Ziegler et al. 2019): a value head judges every token of what the policy wrote.

The reward comes at the last token, less the KL divergence from the base model at each. Never samples or scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from assay_schemas.algorithms import ALGORITHMS, PpoHyperparameters
from torch import Tensor, nn

from assay_trainer.algorithms.base import Loss
from assay_trainer.algorithms.online.algorithm import OnlineAlgorithm
from assay_trainer.algorithms.online.objective import (
    clipped_policy_loss,
    clipped_value_loss,
    generalised_advantages,
    importance_weights,
    joined,
    kl_estimate,
    mismatch_sums,
    whitened,
)
from assay_trainer.algorithms.online.policy import read_policy
from assay_trainer.algorithms.online.samples import Experience, Group, Sample, experience_of


def token_rewards(reward: float, logprobs_T: Tensor, reference_T: Tensor | None, options: PpoHyperparameters) -> Tensor:
    """r_t = -beta KL_t, and the completion's reward on top at its last token (Ziegler et al. 2019, eq. 2). (T)."""
    rewards_T = torch.zeros_like(logprobs_T)
    if reference_T is not None:
        rewards_T = -options.kl_coefficient * kl_estimate(logprobs_T, reference_T, options.kl_estimator)
    rewards_T[-1] += reward
    return rewards_T


class Ppo(OnlineAlgorithm):
    """The value head reads the policy's last hidden state; it starts at zero and is no part of a checkpoint."""

    row_formats = ALGORITHMS["PPO"].row_formats
    hyperparameters_class = PpoHyperparameters

    def __init__(self, hyperparameters: PpoHyperparameters, tokenizer: Any) -> None:
        super().__init__(hyperparameters, tokenizer)
        self.options = hyperparameters
        self._value_head: nn.Linear | None = None

    @property
    def samples_each(self) -> int:
        return 1

    def beside(self, model: Any) -> nn.Module:
        self._value_head = nn.Linear(model.get_output_embeddings().in_features, 1)
        nn.init.zeros_(self._value_head.weight)
        nn.init.zeros_(self._value_head.bias)
        return self._value_head

    def _values(self, hidden_ND: Tensor) -> Tensor:
        """V before each token (N)."""
        if self._value_head is None:
            raise RuntimeError("the value head is made with the stepper")
        values_N: Tensor = self._value_head(hidden_ND)[:, 0]
        return values_N

    def experiences(self, model: Any, groups: Sequence[Group], device: torch.device) -> list[Experience]:
        samples = [sample for group in groups for sample in group if sample.reward is not None]
        if not samples:
            return []
        given = [experience_of(sample) for sample in samples]
        read = self.read(model, given, device, lambda reading: (reading.logprobs_N, self._values(reading.hidden_ND)), 2)
        found = [
            replace(experience, old_logprobs_N=logprobs_N, values_N=values_N)
            for experience, (logprobs_N, values_N) in read
        ]
        found = self.with_reference(model, found, device)
        judged = [self._judged(sample, experience) for sample, experience in zip(samples, found, strict=True)]
        advantages = whitened([experience.advantages_N for experience in judged])
        return [replace(each, advantages_N=better) for each, better in zip(judged, advantages, strict=True)]

    def _judged(self, sample: Sample, experience: Experience) -> Experience:
        """With advantages, and returns R_t = A_t + V_t."""
        logprobs_T, values_T = experience.old_logprobs_N, experience.values_N
        if logprobs_T is None or values_T is None or sample.reward is None:
            raise RuntimeError("log-probabilities, values and reward come before advantages")
        rewards_T = token_rewards(sample.reward, logprobs_T, experience.reference_logprobs_N, self.options)
        advantages_T = generalised_advantages(rewards_T, values_T, self.options.gamma, self.options.gae_lambda)
        return replace(experience, advantages_N=advantages_T, returns_N=advantages_T + values_T)

    def weighted(self, minibatch: Sequence[Experience]) -> list[Experience]:
        """A mean over the minibatch's tokens."""
        tokens = sum(experience.weight for experience in minibatch)
        return [replace(experience, token_weight=1 / tokens) for experience in minibatch]

    def loss(self, model: torch.nn.Module, examples: Sequence[Experience], device: torch.device) -> Loss:
        """Policy loss plus `value_coefficient` times value loss (PPO eq. 9, without the entropy bonus)."""
        options = self.options
        reading = read_policy(model, examples, options.temperature, self.padding_id, device)
        old_N = joined(examples, "old_logprobs_N", device)
        sampled_N = joined(examples, "sampled_logprobs_N", device)
        returns_N = joined(examples, "returns_N", device)
        policy_N, clipped_N = clipped_policy_loss(
            reading.logprobs_N, old_N, joined(examples, "advantages_N", device), options.clip, None
        )
        policy_N = policy_N * importance_weights(old_N, sampled_N, options.importance_cap)
        values_N = self._values(reading.hidden_ND)
        value_N = clipped_value_loss(values_N, joined(examples, "values_N", device), returns_N, options.value_clip)
        sums = {
            "entropy": reading.entropies_N.sum(),
            "clip_fraction": clipped_N.sum(),
            "policy_loss": policy_N.detach().sum(),
            "value_loss": value_N.detach().sum(),
            **mismatch_sums(old_N, sampled_N),
        }
        if options.kl_coefficient > 0:
            reference_N = joined(examples, "reference_logprobs_N", device)
            sums["kl"] = kl_estimate(reading.logprobs_N.detach(), reference_N, "k3").sum()
        total = (policy_N + options.value_coefficient * value_N).sum() * examples[0].token_weight
        return Loss(total, sums)

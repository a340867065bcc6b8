"""The formulas that online algorithms share, as functions of tensors over completion tokens (N).

Never reads a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from assay_trainer.algorithms.online.samples import Experience


def clipped_policy_loss(
    new_N: Tensor, old_N: Tensor, advantages_N: Tensor, clip: float, clip_high: float | None
) -> tuple[Tensor, Tensor]:
    """-min(r A, clip(r, 1 - clip, 1 + clip_high) A) with r = exp(new - old) (Schulman et al. 2017, PPO, eq. 7).

    `clip_high` above `clip` is DAPO's clip-higher (Yu et al. 2025, eq. 10). Second: where the clip decides (bool).
    """
    ratio_N = (new_N - old_N).exp()
    clipped_N = ratio_N.clamp(1 - clip, 1 + (clip if clip_high is None else clip_high))
    free_N, held_N = ratio_N * advantages_N, clipped_N * advantages_N
    return -torch.min(free_N, held_N), (held_N < free_N).detach()


def kl_estimate(new_N: Tensor, reference_N: Tensor, estimator: Literal["k1", "k3"]) -> Tensor:
    """KL(policy || reference) from samples of the policy (Schulman 2020, "Approximating KL divergence").

    k1 = log p - log q, unbiased and of either sign; k3 = exp(log q - log p) - 1 - (log q - log p), never negative.
    """
    if estimator == "k1":
        return new_N - reference_N
    difference_N = reference_N - new_N
    return difference_N.exp() - 1 - difference_N


def importance_weights(old_N: Tensor, sampled_N: Tensor, cap: float) -> Tensor:
    """min(exp(trainer - engine), cap): truncated importance sampling for what the engine's own arithmetic drew
    (Ionides 2008; Yao et al. 2025)."""
    return (old_N - sampled_N).exp().clamp(max=cap).detach()


def mismatch_sums(old_N: Tensor, sampled_N: Tensor) -> dict[str, Tensor]:
    """How far the engine's log-probabilities are from the trainer's: absolute difference, and KL(engine || trainer)."""
    return {
        "mismatch": (old_N - sampled_N).abs().sum().detach(),
        "mismatch_kl": kl_estimate(sampled_N, old_N, "k3").sum().detach(),
    }


def generalised_advantages(rewards_T: Tensor, values_T: Tensor, gamma: float, gae_lambda: float) -> Tensor:
    """A_t = sum over l of (gamma lambda)^l delta_(t+l), delta_t = r_t + gamma V_(t+1) - V_t, V after the end 0
    (Schulman et al. 2016, GAE, eq. 16). Shapes: (T), (T) to (T)."""
    rewards, values = rewards_T.tolist(), values_T.tolist()  # at once: a GPU answers every question for itself
    advantages = [0.0] * len(rewards)
    following, value_after = 0.0, 0.0
    for at in range(len(rewards) - 1, -1, -1):
        delta = rewards[at] + gamma * value_after - values[at]
        following = delta + gamma * gae_lambda * following
        advantages[at] = following
        value_after = values[at]
    return torch.tensor(advantages, dtype=rewards_T.dtype, device=rewards_T.device)


def clipped_value_loss(new_N: Tensor, old_N: Tensor, returns_N: Tensor, clip: float) -> Tensor:
    """max((V - R)^2, (clip(V, V_old - clip, V_old + clip) - R)^2) / 2 (Schulman et al. 2017's implementation)."""
    held_N = old_N + (new_N - old_N).clamp(-clip, clip)
    return 0.5 * torch.max((new_N - returns_N).square(), (held_N - returns_N).square())


def whitened(advantages: Sequence[Tensor]) -> list[Tensor]:
    """With mean 0 and standard deviation 1 over all tokens of all completions; as they are where there is one token."""
    sizes = [len(each) for each in advantages]
    joined_N = torch.cat(list(advantages))
    if len(joined_N) < 2:
        return list(advantages)
    return list(torch.split((joined_N - joined_N.mean()) / (joined_N.std() + 1e-8), sizes))


def joined(experiences: Sequence[Experience], name: str, device: torch.device) -> Tensor:
    """One of the experiences' token-wise tensors end to end (N)."""
    return torch.cat([getattr(experience, name) for experience in experiences]).to(device)

"""What online algorithms learn from: prompts, what the policy wrote to them, and what that was worth.

Values only; nothing here samples or scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

import torch
from torch import Tensor

from assay_trainer.algorithms.base import Example
from assay_trainer.rollouts.base import Completion


@dataclass(frozen=True)
class Prompt(Example):
    """A row to sample for: its token ids, its text or messages, and its columns for the rewards."""

    tokens: tuple[int, ...]
    prompt: Any
    columns: Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """A completion of a prompt, and its reward; None where a reward failed on it."""

    prompt: Prompt
    completion: Completion
    reward: float | None


Group = Sequence[Sample]


@dataclass(frozen=True)
class Experience(Example):
    """A sample ready to learn from. N is its completion's tokens; `token_weight` what each counts in the loss.

    `old_logprobs_N` are those before the step's first update, None where that update is the only one.
    """

    tokens_T: Tensor
    start: int
    advantages_N: Tensor
    sampled_logprobs_N: Tensor
    old_logprobs_N: Tensor | None = None
    reference_logprobs_N: Tensor | None = None
    values_N: Tensor | None = None
    returns_N: Tensor | None = None
    token_weight: float = 1.0


def experience_of(sample: Sample) -> Experience:
    """Without advantages yet."""
    tokens = (*sample.prompt.tokens, *sample.completion.tokens)
    return Experience(
        row_id=sample.prompt.row_id,
        length=len(tokens),
        weight=len(sample.completion.tokens),
        truncated=sample.completion.finish_reason == "length",
        tokens_T=torch.tensor(tokens, dtype=torch.int32),
        start=len(sample.prompt.tokens),
        advantages_N=torch.zeros(len(sample.completion.tokens)),
        sampled_logprobs_N=torch.tensor(sample.completion.logprobs),
    )


def sample_metrics(groups: Sequence[Group]) -> dict[str, float]:
    """What people watch of a step's samples. Lengths in tokens; shares of samples."""
    samples = [sample for group in groups for sample in group]
    rewards = [sample.reward for sample in samples if sample.reward is not None]
    lengths = [len(sample.completion.tokens) for sample in samples]
    metrics = {"reward_failures": float(len(samples) - len(rewards))}
    if samples:
        metrics["completion_length"] = fmean(lengths)
        metrics["completion_length_max"] = float(max(lengths))
        metrics["truncated_share"] = fmean(sample.completion.finish_reason == "length" for sample in samples)
    if rewards:
        metrics |= {"reward": fmean(rewards), "reward_std": pstdev(rewards)}
    return metrics


def has_spread(group: Group) -> bool:
    """Whether the group's rewards differ, so that it says which sample is better."""
    return len({sample.reward for sample in group if sample.reward is not None}) > 1

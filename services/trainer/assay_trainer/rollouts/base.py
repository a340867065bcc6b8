"""What a rollout engine is to the trainer: it samples completions of token prompts from the policy.

Never scores a completion, and never changes the policy's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn. Temperature 0 is greedy; `max_tokens` counts the end token too."""

    temperature: float
    top_p: float
    max_tokens: int


@dataclass(frozen=True)
class Completion:
    """One completion: its token ids (T, with the end token where it ended), and the natural logarithm of the
    probability with which each was drawn, under the distribution at the sampling temperature (T)."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: Literal["stop", "length"]


@dataclass(frozen=True)
class EngineSettings:
    """What an engine needs to know: the base model's folder, end tokens, padding, the longest prompt and
    completion together in tokens, the seed of the run, and the number format of its forward passes."""

    folder: Any
    end_ids: tuple[int, ...]
    padding_id: int
    max_tokens: int
    seed: int = 0
    dtype: Literal["float32", "bfloat16"] = "float32"


class PolicyNotFinite(ArithmeticError):
    """The policy's weights give no numbers any more, so nothing can be drawn from them."""


class RolloutEngine(Protocol):
    """Samples from the weights it was last given by `update_weights`."""

    def generate(
        self, prompts: Sequence[Sequence[int]], samples_each: int, sampling: Sampling, seed: int, first: int = 0
    ) -> list[list[Completion]]:
        """`samples_each` completions for each prompt, in order. The same arguments and weights give the same ones.

        `first` is the place of the first prompt among all that are sampled for with this seed: a part of them has
        the completions that it would have among all.

        Raises PolicyNotFinite."""

    def update_weights(self, model: Any) -> None:
        """Sample from this model's weights from now on."""

    def close(self) -> None: ...

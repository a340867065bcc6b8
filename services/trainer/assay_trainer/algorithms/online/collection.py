"""Collects what a step learns from: samples of its prompts, scored, in groups of one prompt each.

Never updates a weight. What it draws depends on the seed and the step alone.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assay_schemas.algorithms import RolloutHyperparameters

from assay_trainer.algorithms.online.samples import Group, Prompt, Sample, has_spread
from assay_trainer.passing import Passing, Straight
from assay_trainer.peers import Alone, Peers, bounds
from assay_trainer.rewards.base import Scored
from assay_trainer.rewards.weighted import WeightedRewards
from assay_trainer.rollouts.base import Completion, PolicyNotFinite, RolloutEngine, Sampling

log = logging.getLogger(__name__)
Written = tuple[list[int], list[float], Literal["stop", "length"], float | None]
"""A completion and its reward as processes tell each other: tokens, log-probabilities, how it ended, reward."""


@dataclass(frozen=True)
class Resampling:
    """Dynamic sampling (DAPO, Yu et al. 2025, sec. 3.2): where replacements come from, and how often to try."""

    pool: Sequence[Prompt]
    rounds: int


@dataclass(frozen=True)
class Collected:
    """A step's groups, and the share of all groups drawn that had no spread."""

    groups: list[Group]
    without_spread: float


class Collector:
    """An engine that samples, and the rewards that score what it wrote.

    Prompts are shared out among the peers; all have all samples in the end, and they are the same however many
    peers there are."""

    def __init__(
        self,
        engine: RolloutEngine,
        rewards: WeightedRewards,
        tokenizer: Any,
        hyperparameters: RolloutHyperparameters,
        samples_each: int,
        resampling: Resampling | None = None,
        peers: Peers | None = None,
        passing: Passing | None = None,
    ) -> None:
        self._engine = engine
        self._rewards = rewards
        self._tokenizer = tokenizer
        self._samples_each = samples_each
        self._resampling = resampling
        self._peers = peers or Alone()
        self._passing = passing or Straight()
        self._sampler: Any = None
        longest = hyperparameters.max_completion_length
        self._sampling = Sampling(hyperparameters.temperature, hyperparameters.top_p, longest)
        self._greedy = Sampling(0.0, 1.0, longest)

    def collect(self, model: Any, prompts: Sequence[Prompt], seed: int) -> Collected:
        """A group for each prompt; with resampling, only groups that have spread, from other prompts if need be."""
        self._update_weights(model)
        drawn = kept = self._groups(prompts, self._samples_each, self._sampling, seed)
        if self._resampling is not None:
            kept = [group for group in drawn if has_spread(group)]
            spares = self._spares(prompts, self._resampling, seed)
            for _ in range(self._resampling.rounds):
                wanted = [next(spares) for _ in range(len(prompts) - len(kept))]
                if not wanted:
                    break
                seed += 1
                new = self._groups(wanted, self._samples_each, self._sampling, seed)
                drawn = [*drawn, *new]
                kept += [group for group in new if has_spread(group)]
        lacking = sum(not has_spread(group) for group in drawn)
        return Collected(kept, lacking / max(1, len(drawn)))

    def greedy(self, model: Any, prompts: Sequence[Prompt]) -> list[Sample]:
        """One likeliest completion for each prompt."""
        self._update_weights(model)
        return [sample for group in self._groups(prompts, 1, self._greedy, 0) for sample in group]

    def _update_weights(self, model: Any) -> None:
        self._sampler = self._passing.sampler(model)
        self._engine.update_weights(self._sampler)

    def _spares(self, prompts: Sequence[Prompt], resampling: Resampling, seed: int) -> Any:
        """Prompts of the run other than the step's, for ever, in an order of the seed's."""
        current = {id(prompt) for prompt in prompts}
        others = [prompt for prompt in resampling.pool if id(prompt) not in current] or list(prompts)
        draw = random.Random(seed)
        while True:
            yield from draw.sample(others, len(others))

    def _groups(self, prompts: Sequence[Prompt], samples_each: int, sampling: Sampling, seed: int) -> list[Group]:
        own = self._own_part(prompts, samples_each, sampling, seed)
        gathered = self._peers.gathered(own)
        if any(part is None for part in gathered):
            raise PolicyNotFinite
        written = [_completion(*one) for part in gathered for one in part]
        samples = [
            Sample(prompts[place // samples_each], completion, reward)
            for place, (completion, reward) in enumerate(written)
        ]
        return [samples[at : at + samples_each] for at in range(0, len(samples), samples_each)]

    def _own_part(
        self, prompts: Sequence[Prompt], samples_each: int, sampling: Sampling, seed: int
    ) -> list[Written] | None:
        """What this process samples and scores of them; None where the policy gives no numbers, for all to know."""
        first, after = bounds(len(prompts), self._peers)
        own = prompts[first:after]
        try:
            with self._passing.sampling(self._sampler):
                tokens = [prompt.tokens for prompt in own]
                written = self._engine.generate(tokens, samples_each, sampling, seed, first) if own else []
        except PolicyNotFinite:
            return None
        if not own:
            return []
        pairs = [(prompt, completion) for prompt, group in zip(own, written, strict=True) for completion in group]
        rewards = self._scores(pairs)
        return [
            (list(one.tokens), list(one.logprobs), one.finish_reason, reward)
            for (_, one), reward in zip(pairs, rewards, strict=True)
        ]

    def _scores(self, pairs: Sequence[tuple[Prompt, Completion]]) -> Sequence[float | None]:
        """One process of a place scores, so that all know the same even of a reward that is not always the same."""
        if not self._peers.speaks:
            return [None] * len(pairs)
        return self._rewards([self._scored(prompt, completion) for prompt, completion in pairs])

    def _scored(self, prompt: Prompt, completion: Completion) -> Scored:
        text = self._tokenizer.decode(completion.tokens, skip_special_tokens=True)
        return Scored(prompt.row_id, prompt.prompt, text, prompt.columns)


def _completion(
    tokens: list[int], logprobs: list[float], finish_reason: Literal["stop", "length"], reward: float | None
) -> tuple[Completion, float | None]:
    return Completion(tuple(tokens), tuple(logprobs), finish_reason), reward

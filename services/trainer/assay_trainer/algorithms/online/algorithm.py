"""What GRPO and PPO share: prompts are encoded, sampled for and scored; what differs is how samples are valued.

Never samples or scores itself; a collector does.
"""

from __future__ import annotations

import copy
import logging
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from assay_schemas.algorithms import Hyperparameters, RolloutHyperparameters
from torch import Tensor, nn

from assay_trainer.algorithms.base import Algorithm, Example, Surroundings
from assay_trainer.algorithms.online.policy import Reading, read_policy
from assay_trainer.algorithms.online.samples import Experience, Group, Prompt
from assay_trainer.algorithms.online.together import dealt, lengths_read, passes_together
from assay_trainer.attention import takes_packed
from assay_trainer.data.messages import encode_prompts
from assay_trainer.data.packing import passes
from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput
from assay_trainer.lora import adapted, without_adapters
from assay_trainer.model import padding_id_of
from assay_trainer.parallel.shares import shares
from assay_trainer.passing import Passing, Straight
from assay_trainer.peers import Alone, Peers
from assay_trainer.stepper import Stepping

log = logging.getLogger(__name__)


Of = Callable[[Reading], tuple[Tensor, ...]]


def logprobs_alone(reading: Reading) -> tuple[Tensor, ...]:
    return (reading.logprobs_N,)


class OnlineAlgorithm(Algorithm):
    """An algorithm whose examples are prompts, and whose loss is over experiences made of its own samples."""

    def __init__(self, hyperparameters: Any, tokenizer: Any) -> None:
        self.hyperparameters: RolloutHyperparameters = hyperparameters
        self.tokenizer = tokenizer
        self.padding_id = padding_id_of(tokenizer)
        self._reference: Any = None
        self.peers: Peers = Alone()
        self.passing: Passing = Straight()

    @property
    @abstractmethod
    def samples_each(self) -> int:
        """Completions of one prompt in a step."""

    @property
    def resampling_rounds(self) -> int:
        """How often groups without spread are replaced; 0: they stay."""
        return 0

    @abstractmethod
    def experiences(self, model: Any, groups: Sequence[Group], device: torch.device) -> list[Experience]:
        """What is learned from the groups' samples that have a reward. Called without gradients, before the
        step's first update."""

    @abstractmethod
    def weighted(self, minibatch: Sequence[Experience]) -> list[Experience]:
        """The experiences of one update with what each of their tokens counts in its loss."""

    def beside(self, model: Any) -> nn.Module:  # noqa: ARG002
        """What is trained beside the policy, and is no part of a checkpoint."""
        return nn.Module()

    def encode(self, rows: Sequence[Row]) -> list[Example]:
        for row in rows:
            self._check_columns(row)
        encoded = encode_prompts(rows, self.tokenizer)
        return [self._prompt(row, tokens) for row, tokens in zip(rows, encoded, strict=True)]

    def _check_columns(self, row: Row) -> None:
        for column in self.hyperparameters.truth_columns:
            if row.columns.get(column) is None:
                raise BadInput(
                    f"dataset line {row.line}: has nothing in {column!r}, which hyperparameters.reward compares with; "
                    "add it, or name another column in reward.column"
                )

    def _prompt(self, row: Row, tokens: list[int]) -> Prompt:
        """A prompt that is too long keeps its end, or is dropped."""
        limit = self.hyperparameters.max_length
        overlong = len(tokens) > limit
        dropped = (overlong and self.hyperparameters.overlong == "drop") or not tokens
        return Prompt(
            row_id=row.id,
            length=min(len(tokens), limit),
            weight=0 if dropped else 1,
            truncated=overlong and not dropped,
            tokens=tuple(tokens[-limit:]),
            prompt=row.columns["prompt"],
            columns=row.columns,
        )

    def stepper(self, model: Any, hyperparameters: Hyperparameters, around: Surroundings) -> Stepping:  # noqa: ARG002
        from assay_trainer.algorithms.online.opening import open_stepper

        return open_stepper(self, model, around)

    def before_first_step(
        self,
        base: AbstractContextManager[Any],
        examples: Sequence[Any],  # noqa: ARG002
        device: torch.device,  # noqa: ARG002
    ) -> None:
        """Keep a frozen copy of the base model where the KL divergence from it counts; adapters need none."""
        if self.hyperparameters.kl_coefficient > 0 and self.hyperparameters.lora is None:
            with base as model:
                self._reference = copy.deepcopy(model).eval().requires_grad_(False)

    def with_reference(self, model: Any, experiences: Sequence[Experience], device: torch.device) -> list[Experience]:
        """With the log-probabilities under the untouched base model, where the KL divergence counts."""
        if self.hyperparameters.kl_coefficient == 0:
            return list(experiences)
        if adapted(model):
            with without_adapters(model):
                return self._read_reference(model, experiences, device)
        return self._read_reference(self._reference, experiences, device)

    def _read_reference(self, model: Any, experiences: Sequence[Experience], device: torch.device) -> list[Experience]:
        return [
            replace(experience, reference_logprobs_N=logprobs_N)
            for experience, (logprobs_N,) in self.read(model, experiences, device)
        ]

    def own_passes(self, model: Any, experiences: Sequence[Experience]) -> list[list[Experience]]:
        """This process's share of the experiences, in forward passes."""
        packed, peers = takes_packed(model), self.peers
        own = (dealt if packed else shares)(experiences, peers.places)[peers.place]
        rows = self.hyperparameters.micro_batch_size or self.passing.rows(len(own))
        return (passes_together if packed else passes)(own, rows)

    def lengths(self, model: Any, experiences: Sequence[Experience]) -> list[int]:
        """In tokens, of what one pass over all the experiences computes."""
        return lengths_read(experiences) if takes_packed(model) else [each.length for each in experiences]

    def read(
        self,
        model: Any,
        experiences: Sequence[Experience],
        device: torch.device,
        of: Of = logprobs_alone,
        kinds: int = 1,
    ) -> list[tuple[Experience, tuple[Tensor, ...]]]:
        """Each experience with the `kinds` tensors over N that `of` takes from a reading of it, in their order.

        The peers read a share each."""
        sizes = [experience.weight for experience in experiences]
        found_KN = torch.zeros((kinds, sum(sizes)), device=device)
        places = dict(zip(map(id, experiences), torch.split(found_KN, sizes, 1), strict=True))
        parts = self.own_passes(model, experiences)

        def reading(model: Any, part: Sequence[Experience]) -> Tensor:
            return torch.stack(of(read_policy(model, part, self.hyperparameters.temperature, self.padding_id, device)))

        for part, read_KN in zip(parts, self.passing.read(model, parts, reading), strict=True):
            if read_KN is None:
                continue
            for experience, piece_KN in zip(part, torch.split(read_KN, [one.weight for one in part], 1), strict=True):
                places[id(experience)].copy_(piece_KN)
        self.peers.add_up([found_KN])
        return [(experience, tuple(places[id(experience)])) for experience in experiences]

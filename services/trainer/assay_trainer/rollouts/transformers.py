"""The transformers engine: samples with the model in training itself, through a key-value cache.

A prompt is read once for all its samples; rows that have ended leave the batch. Holds no weights of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache

from assay_trainer.attention import takes_packed
from assay_trainer.rollouts.base import Completion, EngineSettings, PolicyNotFinite, Sampling
from assay_trainer.rollouts.growing import make_room

ROWS_AT_ONCE = 512
KEPT_SHARE = 0.75
Drawing = Callable[[Tensor, Sampling, Tensor], tuple[Tensor, Tensor]]
"""Each row's next token (R) and its log-probability (R), of logits (R, V), as `draw` does it."""


def open_engine(settings: EngineSettings) -> TransformersEngine:
    return TransformersEngine(settings)


class TransformersEngine:
    """Batches are padded on the left, so that all rows grow at the same column."""

    def __init__(self, settings: EngineSettings, drawing: Drawing | None = None) -> None:
        self._settings = settings
        self._drawing = drawing or draw
        self._model: Any = None

    def update_weights(self, model: Any) -> None:
        self._model = model

    def close(self) -> None:
        self._model = None

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        """The number format that the trainer's own forward passes have."""
        if self._settings.dtype == "bfloat16":
            return torch.autocast(next(self._model.parameters()).device.type, dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def generate(
        self, prompts: Sequence[Sequence[int]], samples_each: int, sampling: Sampling, seed: int, first: int = 0
    ) -> list[list[Completion]]:
        together = max(1, ROWS_AT_ONCE // samples_each)
        found: list[list[Completion]] = []
        with _evaluating(self._model), torch.no_grad(), self._precision():
            for start in range(0, len(prompts), together):
                part = prompts[start : start + together]
                place = (first + start) * samples_each
                luck_RT = luck(seed, place, len(part) * samples_each, sampling.max_tokens)
                rows = _Batch(self._model, self._settings, part, samples_each, self._drawing).run(sampling, luck_RT)
                found += [rows[at : at + samples_each] for at in range(0, len(rows), samples_each)]
        return found


@contextlib.contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Without dropout while it samples."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


@dataclass
class _Written:
    """What a row has so far."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False


class _Batch:
    """Prompts read in one pass (B), then `samples_each` rows each (R = B * samples_each), token by token."""

    def __init__(
        self,
        model: Any,
        settings: EngineSettings,
        prompts: Sequence[Sequence[int]],
        samples_each: int,
        drawing: Drawing,
    ) -> None:
        self._model = model
        self._drawing = drawing
        self._settings = settings
        self._device = next(model.parameters()).device
        self._samples_each = samples_each
        self._rows = [_Written() for _ in range(len(prompts) * samples_each)]
        self._alive = list(range(len(self._rows)))
        self._in_place = False
        width = max(len(prompt) for prompt in prompts)
        tokens = [[settings.padding_id] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self._tokens_BT = torch.tensor(tokens, device=self._device)
        self._mask_BT = torch.tensor(mask, device=self._device)

    def run(self, sampling: Sampling, luck_RT: Tensor) -> list[Completion]:
        logits_RV = self._read_prompts()
        luck_RT = luck_RT.to(self._device)
        for number in range(sampling.max_tokens):
            chosen_R, logprobs_R = self._drawing(logits_RV, sampling, luck_RT[self._alive, number])
            self._note(chosen_R.tolist(), logprobs_R.tolist())
            if number + 1 == sampling.max_tokens or not (kept := self._kept()):
                break
            logits_RV = self._read_next(chosen_R, kept)
        return [_completion(row) for row in self._rows]

    def _read_prompts(self) -> Tensor:
        """The first logits of every row (R, V); the samples of a prompt share one reading of it."""
        self._cache = DynamicCache(config=self._model.config)
        logits_BV = self._forward(self._tokens_BT, _positions(self._mask_BT), self._mask_BT)
        self._cache.batch_repeat_interleave(self._samples_each)
        self._in_place = make_room(self._cache) and takes_packed(self._model)
        self._mask_RT = self._mask_BT.repeat_interleave(self._samples_each, 0)
        return logits_BV.repeat_interleave(self._samples_each, 0)

    def _read_next(self, chosen_R: Tensor, kept: list[int]) -> Tensor:
        """The logits after the rows' newest tokens; rows that have ended leave when they are many."""
        if len(kept) < KEPT_SHARE * len(self._alive):
            index = torch.tensor(kept, device=self._device)
            self._cache.batch_select_indices(index)
            self._mask_RT, chosen_R = self._mask_RT[index], chosen_R[index]
            self._alive = [self._alive[at] for at in kept]
        self._mask_RT = torch.cat([self._mask_RT, self._mask_RT.new_ones((len(self._alive), 1))], 1)
        positions_R1 = (self._mask_RT.sum(1) - 1)[:, None]
        mask = self._mask_RT[:, None, None].bool() if self._in_place else self._mask_RT
        return self._forward(chosen_R[:, None], positions_R1, mask)

    def _forward(self, tokens_RT: Tensor, positions_RT: Tensor, mask: Tensor) -> Tensor:
        """The logits after the last token (R, V). `mask` is (R, T), or (R, 1, 1, T) as attention itself takes it."""
        output = self._model(
            input_ids=tokens_RT,
            attention_mask=mask,
            position_ids=positions_RT,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits_RV: Tensor = output.logits[:, -1].float()
        return logits_RV

    def _note(self, tokens: list[int], logprobs: list[float]) -> None:
        for at, token, logprob in zip(self._alive, tokens, logprobs, strict=True):
            row = self._rows[at]
            if row.ended:
                continue
            row.tokens.append(token)
            row.logprobs.append(logprob)
            row.ended = token in self._settings.end_ids

    def _kept(self) -> list[int]:
        """Where in the batch the rows are that go on."""
        return [place for place, at in enumerate(self._alive) if not self._rows[at].ended]


def _positions(mask_BT: Tensor) -> Tensor:
    return (mask_BT.cumsum(1) - 1).clamp(min=0)


def _completion(row: _Written) -> Completion:
    return Completion(tuple(row.tokens), tuple(row.logprobs), "stop" if row.ended else "length")


def luck(seed: int, place: int, rows: int, tokens: int) -> Tensor:
    """What decides each row's tokens: numbers in [0, 1), shape (R, T), float64. Each row's depend on the seed and its
    place alone, so that it is drawn alike whatever rows it is sampled with."""
    keys = ((seed << 64) + place + row for row in range(rows))
    drawn = [np.random.Generator(np.random.Philox(key=key)).random(tokens) for key in keys]
    return torch.from_numpy(np.stack(drawn))


def draw(logits_RV: Tensor, sampling: Sampling, luck_R: Tensor) -> tuple[Tensor, Tensor]:
    """A token for each row (R) and its log-probability at the temperature (R); greedy at temperature 0.

    `luck_R` in [0, 1) decides: the token is where the cumulative probability passes it.

    With `top_p` below 1 the token comes from the nucleus (Holtzman et al. 2020), and its log-probability is
    the one before the cut.
    """
    if sampling.temperature == 0:
        logprobs_RV = logits_RV.log_softmax(-1)
        chosen_R = logprobs_RV.argmax(-1)
    else:
        logprobs_RV = (logits_RV / sampling.temperature).log_softmax(-1)
        probabilities_RV = logprobs_RV.exp()
        if sampling.top_p < 1:
            probabilities_RV = _nucleus(probabilities_RV, sampling.top_p)
        if not bool(torch.isfinite(probabilities_RV).all()):
            raise PolicyNotFinite
        chosen_R = _at(probabilities_RV, luck_R)
    return chosen_R, logprobs_RV.gather(1, chosen_R[:, None])[:, 0]


def _at(probabilities_RV: Tensor, luck_R: Tensor) -> Tensor:
    """The token of each row (R) at that share of its probabilities' sum; never one of probability 0."""
    cumulative_RV = probabilities_RV.double().cumsum(-1)
    wanted_R1 = luck_R[:, None] * cumulative_RV[:, -1:]
    return torch.searchsorted(cumulative_RV, wanted_R1, right=True)[:, 0].clamp(max=probabilities_RV.shape[-1] - 1)


def _nucleus(probabilities_RV: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens whose probabilities add up to `top_p`, the others 0."""
    ordered_RV, order_RV = probabilities_RV.sort(-1, descending=True)
    before_RV = ordered_RV.cumsum(-1) - ordered_RV
    return probabilities_RV.new_zeros(probabilities_RV.shape).scatter(
        -1, order_RV, ordered_RV.where(before_RV < top_p, ordered_RV.new_zeros(()))
    )

"""What engines on the harness's own model classes have in common: progress, and answers that cannot be had.

Loads no model; mixed in before HFLM or VLLM, whose numbers it never changes.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.model import TemplateLM

from assay_evaluator.engines.base import GenerationLog, Progress

IMPOSSIBLE = (math.nan, False)


class ToldEngine(TemplateLM):  # type: ignore[misc]
    """Tells `progress` what it expects, and remembers how generations ended.

    A likelihood that cannot be computed (a continuation without tokens, or longer than
    `longest_continuation`) is NaN for its item, instead of an error for all of them.
    """

    _progress: Progress
    generations: GenerationLog

    def watch(self, progress: Progress) -> None:
        """Call once the model is open; the harness then says of every answer what it answers."""
        self._progress = progress
        self.generations = GenerationLog()
        self.set_cache_hook(_AnswerHook(self))

    @property
    def has_chat_template(self) -> bool:
        """Whether the model says how a conversation is put to it."""
        return bool(getattr(self.tokenizer, "chat_template", None))

    @property
    def longest_continuation(self) -> int:
        """Tokens of the longest continuation that can be scored."""
        return int(self.max_length)

    @abstractmethod
    def answered(self, prompt: str, settings: Mapping[str, Any]) -> None:
        """The harness took the next generation's text: that was an answer to this prompt."""

    def loglikelihood(self, requests: list[Any], **_: Any) -> list[tuple[float, bool]]:
        self._progress.expect(len(requests))
        answers: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return answers

    def loglikelihood_rolling(self, requests: list[Any], **_: Any) -> list[float]:
        self._progress.expect(len(requests))
        likelihoods: list[float] = super().loglikelihood_rolling(requests, disable_tqdm=True)
        return likelihoods

    def _loglikelihood_tokens(self, requests: Sequence[Any], **kwargs: Any) -> list[tuple[float, bool]]:
        kwargs["disable_tqdm"] = True
        possible = [request for request in requests if self._is_possible(request)]
        computed = iter(super()._loglikelihood_tokens(possible, **kwargs) if possible else ())
        return [next(computed) if self._is_possible(request) else IMPOSSIBLE for request in requests]

    def _is_possible(self, request: tuple[Any, Sequence[int], Sequence[int]]) -> bool:
        _, context, continuation = request
        return bool(context) and 0 < len(continuation) <= self.longest_continuation


class _AnswerHook:
    """Stands where the harness keeps its response cache: it is told of every answer, in order."""

    def __init__(self, engine: ToldEngine) -> None:
        self._engine = engine

    def add_partial(self, kind: str, request: tuple[Any, ...], answer: Any) -> None:  # noqa: ARG002
        if kind == "generate_until":
            self._engine.answered(*request)

"""What an engine is to the evaluator: a language model of the harness that remembers how generations ended.

Never loads a model itself; the engines beside it do.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol


class Progress(Protocol):
    """Told of the work as it goes; a row is one response or one likelihood."""

    def expect(self, rows: int) -> None: ...

    def rows_done(self, rows: int) -> None: ...

    def beat(self) -> None:
        """Called at every generated token; like the others it may raise, to end the work."""


@dataclass(frozen=True)
class EngineSettings:
    """Where the model lies and how it computes; `batch_size` is items in one forward pass."""

    folder: Path
    dtype: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
    batch_size: int = 64


@dataclass(frozen=True)
class Generation:
    """How one generated response ended: tokens with the end token, and `stop` or `length`.

    `token_ids` are those tokens, and `token_logprobs` their natural-log probabilities before temperature and top-p;
    empty where the engine does not say.
    """

    tokens: int
    finish_reason: str
    token_ids: tuple[int, ...] = ()
    token_logprobs: tuple[float, ...] = ()

    @property
    def logprob(self) -> float | None:
        """Of the whole response; None where the engine does not say."""
        return math.fsum(self.token_logprobs) if self.token_logprobs else None


UNKNOWN = Generation(0, "")
"""In place of a generation of which the engine said nothing."""


class FailedText(str):
    """In place of a text that could not be had: empty, with the reason. Its item has failed."""

    reason: str

    def __new__(cls, reason: str) -> FailedText:
        made = super().__new__(cls, "")
        made.reason = reason
        return made


class FailedValue(float):
    """In place of a likelihood that could not be had: NaN, with the reason. Its item has failed."""

    reason: str

    def __new__(cls, reason: str) -> FailedValue:
        made = super().__new__(cls, "nan")
        made.reason = reason
        return made


def conversation(tokenizer: Any, chat_history: list[dict[str, str]], add_generation_prompt: bool) -> str:
    """A conversation in the words of the tokenizer's template, up to where the answer begins or goes on."""
    text: str = tokenizer.apply_chat_template(
        chat_history,
        tokenize=False,
        add_generation_prompt=add_generation_prompt,
        continue_final_message=not add_generation_prompt,
    )
    return text


class GenerationLog:
    """Remembers generations by request, in the order in which the harness asked for repeats of it."""

    def __init__(self) -> None:
        self._by_request: defaultdict[tuple[str, str], deque[Generation]] = defaultdict(deque)

    def add(self, prompt: str, settings: Mapping[str, Any], generation: Generation) -> None:
        self._by_request[_request(prompt, settings)].append(generation)

    def take(self, prompt: str, settings: Mapping[str, Any], count: int) -> list[Generation]:
        """The oldest `count` generations of this request that were not taken yet; fewer where unknown."""
        waiting = self._by_request[_request(prompt, settings)]
        return [waiting.popleft() for _ in range(min(count, len(waiting)))]


def _request(prompt: str, settings: Mapping[str, Any]) -> tuple[str, str]:
    return prompt, repr(sorted(settings.items()))

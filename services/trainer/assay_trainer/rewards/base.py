"""What a reward is to the trainer: it scores completions of rows, and may fail on any one of them.

Never raises for a sample: what went wrong with one is its Failure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Scored:
    """What is to be scored: the prompt's and the completion's text, and the columns of the row."""

    row_id: str
    prompt: Any
    completion: str
    columns: Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """Why a sample has no score."""

    reason: str


Score = float | Failure


class Reward(Protocol):
    """Scores a batch of samples, in order. Close it to end its processes."""

    def __call__(self, samples: Sequence[Scored]) -> list[Score]: ...

    def close(self) -> None: ...

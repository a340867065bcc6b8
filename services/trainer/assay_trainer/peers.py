"""The processes that share one run's samples and updates, each with a whole copy of the model; mostly one alone.

Knows no algorithm. Values travel as JSON and tensors, never pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor


class Peers(Protocol):
    """This process is number `place` (from 0) of `places`. All must call the same methods in the same order."""

    @property
    def place(self) -> int: ...

    @property
    def places(self) -> int: ...

    def gathered(self, own: Any) -> list[Any]:
        """What every process gives, in their order: plain JSON values."""

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, equal to the bit on each."""


@dataclass(frozen=True)
class Alone:
    """One process does everything."""

    place: int = 0
    places: int = 1

    def gathered(self, own: Any) -> list[Any]:
        return [own]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """There is nobody else."""


def bounds(count: int, peers: Peers) -> tuple[int, int]:
    """Which of `count` things in a row are this process's: first, and first that is not."""
    return count * peers.place // peers.places, count * (peers.place + 1) // peers.places


def summed(sums: Mapping[str, float], peers: Peers) -> dict[str, float]:
    """Sums by name over all processes, also of names that only some have."""
    total: dict[str, float] = {}
    for one in peers.gathered(dict(sums)):
        for name, value in one.items():
            total[name] = total.get(name, 0.0) + value
    return total

"""The processes that share one run's samples and updates, each with the model or its part of it; mostly one alone.

Knows no algorithm. Values travel as JSON and tensors, never pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn


class OwnPart(Protocol):
    """What of a model's parameters this process updates: the parameters of `module`, as views into the model's."""

    @property
    def module(self) -> nn.Module: ...

    def take_gradients(self) -> None:
        """Give the parameters of `module` their gradients, of the model's."""

    def tell_weights(self) -> None:
        """Give all peers the updated weights, and take theirs."""


class Peers(Protocol):
    """This process is number `place` (from 0) of `places`. All must call the same methods in the same order.

    Where matrices or tokens are split, the processes of one model have one place, and one of them `speaks`; `sharers`
    of them compute one loss each in whole, so that its gradient counts once only if each takes its share of it."""

    @property
    def place(self) -> int: ...

    @property
    def places(self) -> int: ...

    @property
    def sharers(self) -> int: ...

    @property
    def speaks(self) -> bool:
        """Whether what this process gives counts for its place."""

    def gathered(self, own: Any) -> list[Any]:
        """What every place gives, in their order: plain JSON values."""

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor, or the part of it here, by its sum over all places, equal to the bit on each."""

    def add_up_gradients(self, parameters: Sequence[Tensor]) -> None:
        """As `add_up`, for the parameters' gradients, over all processes that have the same part of each parameter;
        one without a gradient counts as zeros, and where none has one, there is none."""

    def clipped(self, parameters: Sequence[Tensor], limit: float) -> float:
        """The norm of the parameters' whole gradient, whose parts here are then scaled down to the limit."""

    def own_part(self, model: Any) -> OwnPart:
        """What of the model in training this process updates, and keeps the optimizer's state of."""


@dataclass(frozen=True)
class Everything:
    """One process updates the whole model."""

    module: nn.Module

    def take_gradients(self) -> None:
        """They are where they belong."""

    def tell_weights(self) -> None:
        """There is nobody else."""


@dataclass(frozen=True)
class Alone:
    """One process does everything."""

    place: int = 0
    places: int = 1
    sharers: int = 1
    speaks: bool = True

    def gathered(self, own: Any) -> list[Any]:
        return [own]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """There is nobody else."""

    def add_up_gradients(self, parameters: Sequence[Tensor]) -> None:
        """There is nobody else."""

    def clipped(self, parameters: Sequence[Tensor], limit: float) -> float:
        return float(torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=True))

    def own_part(self, model: Any) -> Everything:
        return Everything(model)


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

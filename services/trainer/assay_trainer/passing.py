"""How forward passes over samples go through the model in training: straight on, where one process has all of it.

Knows no algorithm. Where a model lies on many processes, `parallel` has other ways through it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from torch import Tensor

from assay_trainer.errors import BadInput
from assay_trainer.rollouts import open_engine
from assay_trainer.rollouts.base import EngineSettings, RolloutEngine

if TYPE_CHECKING:
    from assay_trainer.algorithms.base import Loss

TAKES_PARTS = "transformers"
"""The engine that samples with a model of which every process has a part."""
Part = TypeVar("Part")
"""What goes through one forward pass."""


def check_engine(name: str, way: str) -> None:
    """Raises BadInput where an engine takes whole models and parallelism of this way leaves processes a part."""
    if name != TAKES_PARTS:
        raise BadInput(
            f"hyperparameters.rollout_engine: {name} takes whole models, and hardware.parallelism.{way} leaves each "
            f"process a part; choose {TAKES_PARTS}, or set {way} to 1"
        )


class Passing(Protocol):
    """All processes that share a model must call the same methods in the same order."""

    def engine(self, name: str, settings: EngineSettings) -> RolloutEngine:
        """What samples with the model. Raises BadInput for an engine that cannot."""

    def sampler(self, model: Any) -> Any:
        """The model as its engine samples with it."""

    def sampling(self, sampler: Any) -> contextlib.AbstractContextManager[None]:
        """Within: this process may sample, more or less often than others."""

    def rows(self, samples: int) -> int | None:
        """How many of a process's samples go through a pass where nobody says; None: as many as memory takes."""

    def read(
        self, model: Any, parts: Sequence[Part], reading: Callable[[Any, Part], Tensor]
    ) -> Iterator[Tensor | None]:
        """What `reading` takes from each part, without gradients; None where another process has it."""

    def learn(self, model: Any, parts: Sequence[Part], loss: Callable[[Any, Part], Loss], share: int) -> Iterator[Loss]:
        """Leaves the gradients of each part's loss, divided by `share`; gives the losses that were computed here."""


class Straight:
    """One pass after the other, through a model that is whole here or whose parts meet by themselves."""

    def engine(self, name: str, settings: EngineSettings) -> RolloutEngine:
        return open_engine(name, settings)

    def sampler(self, model: Any) -> Any:
        return model

    def sampling(self, sampler: Any) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        return contextlib.nullcontext()

    def rows(self, samples: int) -> int | None:  # noqa: ARG002
        return None

    def read(
        self, model: Any, parts: Sequence[Part], reading: Callable[[Any, Part], Tensor]
    ) -> Iterator[Tensor | None]:
        for part in parts:
            yield reading(model, part)

    def learn(self, model: Any, parts: Sequence[Part], loss: Callable[[Any, Part], Loss], share: int) -> Iterator[Loss]:
        for part in parts:
            found = loss(model, part)
            (found.total / share).backward()  # type: ignore[no-untyped-call]
            yield found

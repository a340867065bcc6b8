"""Passes through a model whose experts lie on several processes: tokens travel in every layer, so all pass together.

Who has no more passes goes on with one of a single token that counts nothing, until nobody has any.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from assay_schemas.algorithms import Hyperparameters
from torch import Tensor

from assay_trainer.forward import hidden_states, lay_out
from assay_trainer.parallel.world import World
from assay_trainer.passing import Part, Straight, check_engine
from assay_trainer.rollouts.base import EngineSettings, PolicyNotFinite, RolloutEngine
from assay_trainer.stepper import precision

if TYPE_CHECKING:
    from assay_trainer.algorithms.base import Loss

ONE_TOKEN = torch.zeros(1, dtype=torch.int32)


class InStep(Straight):
    """Processes of one expert group sample for, read and learn from different rows, in any number of passes each."""

    def __init__(self, world: World, hyperparameters: Hyperparameters) -> None:
        self._group = world.group("expert")
        self._device = world.device
        self._hyperparameters = hyperparameters

    def engine(self, name: str, settings: EngineSettings) -> RolloutEngine:
        check_engine(name, "expert")
        return super().engine(name, settings)

    def sampling(self, sampler: Any) -> contextlib.AbstractContextManager[None]:
        return self._together(sampler, learning=False)

    def read(
        self, model: Any, parts: Sequence[Part], reading: Callable[[Any, Part], Tensor]
    ) -> Iterator[Tensor | None]:
        with self._together(model, learning=False):
            yield from super().read(model, parts, reading)

    def learn(self, model: Any, parts: Sequence[Part], loss: Callable[[Any, Part], Loss], share: int) -> Iterator[Loss]:
        with self._together(model, learning=True):
            yield from super().learn(model, parts, loss, share)

    @contextlib.contextmanager
    def _together(self, model: Any, *, learning: bool) -> Iterator[None]:
        """Within: passes of this process wait for those of the others. At the end it waits with empty ones."""
        waiting = model.get_decoder().register_forward_pre_hook(self._note_pass)
        unable: PolicyNotFinite | None = None
        try:
            yield
        except PolicyNotFinite as error:  # the others do not know yet
            unable = error
        finally:
            waiting.remove()
        while self._anyone():
            self._pass_nothing(model, learning=learning)
        if unable is not None:
            raise unable

    def _note_pass(self, *_: Any) -> None:
        self._tell(passes=True)

    def _tell(self, *, passes: bool) -> bool:
        """Say whether this process has a pass; whether any has."""
        any_ = torch.tensor(int(passes), device=self._device)
        dist.all_reduce(any_, dist.ReduceOp.MAX, group=self._group)
        return bool(any_)

    def _anyone(self) -> bool:
        return self._tell(passes=False)

    def _pass_nothing(self, model: Any, *, learning: bool) -> None:
        with torch.set_grad_enabled(learning), precision(self._hyperparameters, self._device):
            hidden_1D = hidden_states(model.get_decoder(), lay_out(model, [ONE_TOKEN], 0, self._device), None)
        if learning:
            (hidden_1D.sum() * 0.0).backward()  # type: ignore[no-untyped-call]

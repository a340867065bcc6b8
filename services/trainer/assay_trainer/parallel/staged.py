"""Passes of algorithms that sample through a model whose layers lie on several processes, stage after stage.

Samples are drawn, judged and scored where the output layer is; all stages are told what was drawn.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from assay_schemas.algorithms import Hyperparameters
from torch import Tensor

from assay_trainer.algorithms.base import Loss
from assay_trainer.parallel.relay import Relay
from assay_trainer.parallel.shares import Pass
from assay_trainer.parallel.stages import Stage, asked, micro_of, rows_of_a_pass, run_through
from assay_trainer.parallel.world import World
from assay_trainer.passing import Part, check_engine
from assay_trainer.rollouts.base import EngineSettings, PolicyNotFinite, RolloutEngine, Sampling
from assay_trainer.rollouts.transformers import TransformersEngine, draw
from assay_trainer.stepper import LOSS, precision

NOT_FINITE = -1.0


class Staged:
    """All stages of a pipeline sample for, read and learn from the same rows."""

    def __init__(self, world: World, hyperparameters: Hyperparameters) -> None:
        self._world = world
        self._stages = world.parallelism.pipeline
        self._last = world.place("pipeline") == self._stages - 1
        self._hyperparameters = hyperparameters

    def engine(self, name: str, settings: EngineSettings) -> RolloutEngine:
        check_engine(name, "pipeline")
        return TransformersEngine(settings, self._draw)

    def sampler(self, model: Any) -> Any:
        return Relay(model, self._world)

    def sampling(self, sampler: Any) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        return contextlib.nullcontext()

    def rows(self, samples: int) -> int | None:
        return rows_of_a_pass(samples, self._stages)

    def read(
        self, model: Any, parts: Sequence[Part], reading: Callable[[Any, Part], Tensor]
    ) -> Iterator[Tensor | None]:
        relay = Relay(model, self._world)
        for part in parts:
            if self._last:
                yield reading(relay, part)
            else:
                relay.get_decoder()(**asked(reading, model, part))
                yield None

    def learn(self, model: Any, parts: Sequence[Part], loss: Callable[[Any, Part], Loss], share: int) -> Iterator[Loss]:
        if not parts:
            return
        given: Sequence[Any] = parts
        filled = [Pass(part, True) for part in given] + [Pass(given[0], False)] * (self._stages - len(given))
        wanted = [asked(loss, model, each.examples) for each in filled]
        longest = max(options["input_ids"].shape[1] for options in wanted)
        stage = Stage(model, loss, self._world)
        stage.terms = share
        micros = [micro_of(each, options, longest) for each, options in zip(filled, wanted, strict=True)]
        with precision(self._hyperparameters, self._world.device):
            run_through(stage, micros, self._world, learning=True)
        if self._last:
            yield Loss(torch.tensor(stage.sums.pop(LOSS), dtype=torch.float64), stage.sums)

    def _draw(self, logits_RV: Tensor, sampling: Sampling, luck_R: Tensor) -> tuple[Tensor, Tensor]:
        """What the last stage draws, which alone has logits. Raises PolicyNotFinite on all."""
        drawn_2R = torch.full((2, len(luck_R)), NOT_FINITE, dtype=torch.float64, device=luck_R.device)
        if self._last:
            with contextlib.suppress(PolicyNotFinite):
                drawn_2R = torch.stack([each.double() for each in draw(logits_RV, sampling, luck_R)])
        dist.broadcast(drawn_2R, group=self._world.group("pipeline"), group_src=self._stages - 1)
        if bool((drawn_2R[0] == NOT_FINITE).any()):
            raise PolicyNotFinite
        return drawn_2R[0].long(), drawn_2R[1].float()

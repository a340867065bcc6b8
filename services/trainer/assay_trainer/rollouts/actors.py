"""An engine whose sampling is done by processes of a Ray cluster, beside the trainer; one that is lost is replaced.

Each has a copy of the policy and samples for a part of the prompts; what is drawn does not depend on how many there
are. Never decides which engine samples in them: that is the job's.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay_chassis.compute.ray import CLUSTER

from assay_trainer.cluster import connect, settings_of
from assay_trainer.errors import BadInput, RolloutEngineLost
from assay_trainer.lora import adapted, merged
from assay_trainer.rollouts.base import Completion, EngineSettings, PolicyNotFinite, Sampling

log = logging.getLogger(__name__)
REPLACEMENTS = 3  # of one actor, for one call
CALL_S = 1800.0


def open_on_actors(name: str, settings: EngineSettings, count: int, *, gpus: bool) -> ActorsEngine:
    """Raises BadInput where there is no Ray cluster."""
    if CLUSTER not in os.environ:
        raise BadInput("hardware.rollout_actors: only the ray backend has them; set it to 0, or ASSAY_BACKEND=ray")
    connect()
    return ActorsEngine(name, settings, count, gpus=gpus)


class ActorsEngine:
    """Weights are sent to all after each step, once through Ray's object store."""

    def __init__(self, name: str, settings: EngineSettings, count: int, *, gpus: bool) -> None:
        self._name = name
        self._settings = replace(settings, folder=str(settings.folder))
        self._gpus = gpus
        self._weights: Any = None
        self._actors = [self._new() for _ in range(count)]

    def update_weights(self, model: Any) -> None:
        import ray

        with merged(model) if adapted(model) else contextlib.nullcontext():
            weights = {name: tensor.detach().float().cpu().numpy() for name, tensor in model.named_parameters()}
        self._weights = ray.put(weights)
        self._of_all([("update", (self._weights,))] * len(self._actors))

    def generate(
        self, prompts: Sequence[Sequence[int]], samples_each: int, sampling: Sampling, seed: int, first: int = 0
    ) -> list[list[Completion]]:
        count = len(self._actors)
        cuts = [len(prompts) * place // count for place in range(count + 1)]
        asked = [
            ("generate", ([list(prompt) for prompt in prompts[at:after]], samples_each, sampling, seed, first + at))
            for at, after in itertools.pairwise(cuts)
        ]
        parts = self._of_all(asked)
        if any(part is None for part in parts):
            raise PolicyNotFinite
        return [group for part in parts for group in part]

    def close(self) -> None:
        import ray

        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def _of_all(self, asked: Sequence[tuple[str, tuple[Any, ...]]]) -> list[Any]:
        """One call to each actor, all at the same time. Raises RolloutEngineLost."""
        begun = [getattr(actor, name).remote(*given) for actor, (name, given) in zip(self._actors, asked, strict=True)]
        return [self._answer(place, begun[place], *asked[place]) for place in range(len(begun))]

    def _answer(self, place: int, begun: Any, name: str, given: tuple[Any, ...]) -> Any:
        """The answer of one actor, or of those that replace it."""
        import ray

        for _ in range(REPLACEMENTS):
            try:
                return ray.get(begun, timeout=CALL_S)
            except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
                log.warning("rollout actor %d was lost (%s); another takes its place", place, type(error).__name__)
            except (ray.exceptions.RayTaskError, ray.exceptions.GetTimeoutError) as error:
                raise RolloutEngineLost(self._name, str(error).strip().splitlines()[-1][:500]) from error
            self._actors[place] = self._new()
            if name != "update" and self._weights is not None:
                self._actors[place].update.remote(self._weights)
            begun = getattr(self._actors[place], name).remote(*given)
        raise RolloutEngineLost(self._name, f"actor {place} was lost {REPLACEMENTS} times")

    def _new(self) -> Any:
        import ray

        return (
            ray.remote(Sampler)
            .options(
                num_cpus=0 if self._gpus else 1,
                num_gpus=1 if self._gpus else 0,
                max_restarts=0,
                runtime_env={"py_executable": sys.executable, "env_vars": settings_of(dict(os.environ))},
            )
            .remote(self._name, self._settings)
        )


class Sampler:
    """A rollout engine in a process of its own, with a copy of the policy. Runs as a Ray actor."""

    def __init__(self, name: str, settings: EngineSettings) -> None:
        import torch

        from assay_trainer.model import choose_device, load_model
        from assay_trainer.rollouts import open_engine

        device = choose_device(int(torch.cuda.is_available()))
        self._model = load_model(Path(settings.folder), device)
        self._engine = open_engine(name, settings)
        self._engine.update_weights(self._model)

    def update(self, weights: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for name, parameter in self._model.named_parameters():
                parameter.copy_(torch.from_numpy(weights[name].copy()))
        self._engine.update_weights(self._model)

    def generate(self, *given: Any) -> list[list[Completion]] | None:
        """None where the policy gives no numbers."""
        try:
            return self._engine.generate(*given) if given[0] else []
        except PolicyNotFinite:
            return None

    def pid(self) -> int:
        return os.getpid()

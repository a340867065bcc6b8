"""What a job is in each of its processes: the whole job's work, on its part of the model or of the data.

Only the lead process speaks to the object store and to whoever watches.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from assay_schemas.jobs import Usage

from assay_trainer.algorithms.base import Algorithm, Surroundings
from assay_trainer.checkpoints.resume import ResumePoint
from assay_trainer.metrics import MetricsLog
from assay_trainer.model import load_model
from assay_trainer.parallel.build import build_stepper
from assay_trainer.parallel.checkpoints import SpreadCheckpoints, model_parts, plain_shell, restore_spread
from assay_trainer.parallel.context import split_tokens
from assay_trainer.parallel.experts import spread_experts
from assay_trainer.parallel.in_step import InStep
from assay_trainer.parallel.own_rows import OwnRows
from assay_trainer.parallel.peers import WorldPeers
from assay_trainer.parallel.placement import Placed
from assay_trainer.parallel.rank_job import RankJob
from assay_trainer.parallel.staged import Staged
from assay_trainer.parallel.stages import keep_own_layers
from assay_trainer.parallel.tensor import split_matrices
from assay_trainer.passing import Passing, Straight
from assay_trainer.stepper import Stepping


class SpreadTrainingJob(RankJob):
    """Every process holds a part of the model, or of the rows, as the layout says."""

    _model_type: type[Any] = type(None)
    _config: Any = None
    _taken: SpreadCheckpoints | None = None

    def _stepper(
        self, algorithm: Algorithm, around: Surroundings, padding_id: int, resumed: ResumePoint | None
    ) -> Stepping:
        model = self._model(algorithm, around, padding_id, resumed, torch.device("cpu"))
        hardware = self._request.hardware
        self._laid_out(model, None if hardware.cpu_offload else around.device)
        stepper = build_stepper(model, algorithm, self._hyperparameters, around.seed, self._world, hardware)
        if resumed is not None:
            restore_spread(stepper.optimizer, self._parts(stepper), resumed.optimizer)
        return stepper

    def _parts(self, stepper: Stepping) -> Iterator[Placed]:
        """What this process's optimizer updates."""
        return model_parts(stepper, self._world)

    def _laid_out(self, model: Any, device: torch.device | None) -> None:
        """Remember what a whole model is, before this one lies here in parts. Without a device it stays in main memory,
        from where sharding takes one layer at a time."""
        self._model_type, self._config = type(model), copy.deepcopy(model.config)
        if device is not None:
            model.to(device)

    @contextlib.contextmanager
    def _base_model(self, stepper: Stepping, around: Surroundings, resumed: bool) -> Iterator[Any]:  # noqa: ARG002
        """The base model whole, beside what is in training, which lies here in parts only."""
        model = load_model(around.base, around.device)
        model.eval()
        with torch.no_grad():
            yield model

    def _checkpoints(self, base: Path) -> SpreadCheckpoints:
        folder, lora = self._folder / "checkpoints", self._hyperparameters.lora
        self._taken = SpreadCheckpoints(
            self._world,
            self._writer(base, folder) if self._world.lead else None,
            lambda: plain_shell(self._model_type, self._config, lora),
            lora,
            base,
            folder,
            self._parts,
        )
        return self._taken

    def _usage(self, metrics: MetricsLog, device: torch.device) -> Usage:
        processor_s = self._taken.processor_s if self._taken else 0.0
        return super()._usage(metrics, device).model_copy(update={"cpu_s": processor_s})


class SamplingTrainingJob(SpreadTrainingJob):
    """A job that samples as it trains: rows are spread over processes that have the whole model, its experts apart, or
    over groups of them that have its matrices or layers split or read tokens together.

    The processes of a group sample alike: they draw by the same numbers from the same probabilities, or are told."""

    _own: OwnRows

    def _stepper(
        self, algorithm: Algorithm, around: Surroundings, padding_id: int, resumed: ResumePoint | None
    ) -> Stepping:
        model = self._model(algorithm, around, padding_id, resumed, torch.device("cpu"))
        self._laid_out(model, around.device)
        self._split_model(model)
        if self._world.parallelism.context > 1:
            split_tokens(model, self._world.group("context"), self._world.parallelism.tensor)
        self._own = OwnRows(model, self._world)
        peers = WorldPeers(self._world, self._own)
        stepper = algorithm.stepper(model, self._hyperparameters, replace(around, peers=peers, passing=self._passing()))
        if resumed is not None:
            restore_spread(stepper.optimizer, self._parts(stepper), resumed.optimizer)
            stepper.restore_own(resumed.own)
        return stepper

    def _passing(self) -> Passing:
        layout = self._world.parallelism
        if layout.pipeline > 1:
            return Staged(self._world, self._hyperparameters)
        return InStep(self._world, self._hyperparameters) if layout.expert > 1 else Straight()

    def _split_model(self, model: Any) -> None:
        if self._world.parallelism.expert > 1:
            spread_experts(model, self._world.group("expert"))
        if self._world.parallelism.tensor > 1:
            split_matrices(model, self._world.mesh["tensor"])
        if self._world.parallelism.pipeline > 1:
            keep_own_layers(model, self._world)

    def _parts(self, stepper: Stepping) -> Iterator[Placed]:  # noqa: ARG002
        return self._own.placed()

    @contextlib.contextmanager
    def _base_model(self, stepper: Stepping, around: Surroundings, resumed: bool) -> Iterator[Any]:
        """The base model, split alike, since it is kept as the reference. It reads all tokens: without
        gradients nothing of them is kept."""
        with super()._base_model(stepper, around, resumed) as model:
            self._split_model(model)
            yield model

"""One process's part of a job that samples as it trains: every process has the whole model, rows are shared out.

The lead alone takes checkpoints, which are those of one process: a run may go on with any number of them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch
from assay_chassis.object_store import SyncObjectStore
from assay_schemas.jobs import TrainingRequest, Usage

from assay_trainer.algorithms.base import Algorithm, Surroundings
from assay_trainer.checkpoints.resume import ResumePoint
from assay_trainer.loop import Watch
from assay_trainer.metrics import MetricsLog
from assay_trainer.parallel.peers import WorldPeers
from assay_trainer.parallel.watch import AgreedWatch
from assay_trainer.parallel.world import World, sum_over_all
from assay_trainer.stepper import Stepping
from assay_trainer.worker import Trained, TrainingJob, Writer


class NoCheckpoints:
    """What a process that is not the lead does with checkpoints."""

    def take(self, stepper: Stepping, step: int, validation_loss: float | None, metrics: bytes) -> None:
        """The lead takes it."""

    def close(self) -> None:
        """Nothing was opened."""


class ReplicatedTrainingJob(TrainingJob):
    """`folder` is one that all processes reach."""

    def __init__(
        self, request: TrainingRequest, store: SyncObjectStore, folder: Path, watch: Watch, world: World
    ) -> None:
        super().__init__(request, store, folder / f"rank-{world.rank}", AgreedWatch(watch, world))
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._world = world
        self._processor_s = 0.0

    def train(self) -> Trained:
        trained = super().train()
        self._processor_s = sum_over_all([time.process_time()], self._world.device)[0]
        return trained

    def _device(self) -> torch.device:
        return self._world.device

    def _stepper(
        self, algorithm: Algorithm, around: Surroundings, padding_id: int, resumed: ResumePoint | None
    ) -> Stepping:
        shared = replace(around, peers=WorldPeers(self._world))
        return super()._stepper(algorithm, shared, padding_id, resumed)

    def _checkpoints(self, base: Path) -> Writer:
        return super()._checkpoints(base) if self._world.lead else NoCheckpoints()

    def _usage(self, metrics: MetricsLog, device: torch.device) -> Usage:
        return super()._usage(metrics, device).model_copy(update={"cpu_s": self._processor_s})

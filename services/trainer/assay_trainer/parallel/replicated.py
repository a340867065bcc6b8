"""One process's part of a job that samples as it trains: every process has the whole model, rows are shared out.

The lead alone takes checkpoints, which are those of one process: a run may go on with any number of them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import torch
from assay_schemas.jobs import Usage

from assay_trainer.algorithms.base import Algorithm, Surroundings
from assay_trainer.checkpoints.resume import ResumePoint
from assay_trainer.metrics import MetricsLog
from assay_trainer.parallel.peers import WorldPeers
from assay_trainer.parallel.rank_job import RankJob
from assay_trainer.parallel.world import sum_over_all
from assay_trainer.stepper import Stepping
from assay_trainer.worker import Trained, Writer


class NoCheckpoints:
    """What a process that is not the lead does with checkpoints."""

    def take(self, stepper: Stepping, step: int, validation_loss: float | None, metrics: bytes) -> None:
        """The lead takes it."""

    def close(self) -> None:
        """Nothing was opened."""


class ReplicatedTrainingJob(RankJob):
    """Every process trains the whole model, in step with the others."""

    _processor_s = 0.0

    def train(self) -> Trained:
        trained = super().train()
        self._processor_s = sum_over_all([time.process_time()], self._world.device)[0]
        return trained

    def _stepper(
        self, algorithm: Algorithm, around: Surroundings, padding_id: int, resumed: ResumePoint | None
    ) -> Stepping:
        shared = replace(around, peers=WorldPeers(self._world))
        return super()._stepper(algorithm, shared, padding_id, resumed)

    def _checkpoints(self, base: Path) -> Writer:
        return super()._checkpoints(base) if self._world.lead else NoCheckpoints()

    def _usage(self, metrics: MetricsLog, device: torch.device) -> Usage:
        return super()._usage(metrics, device).model_copy(update={"cpu_s": self._processor_s})

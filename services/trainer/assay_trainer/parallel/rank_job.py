"""What every process of one training job is, however the work is shared out: its rank in a world, and its own scratch.

Never decides what a rank holds or computes; the kinds of jobs beside it do.
"""

from __future__ import annotations

from pathlib import Path

import torch
from assay_chassis.object_store import SyncObjectStore
from assay_schemas.jobs import TrainingRequest

from assay_trainer.loop import Watch
from assay_trainer.parallel.watch import AgreedWatch
from assay_trainer.parallel.world import World
from assay_trainer.training_job import TrainingJob


class RankJob(TrainingJob):
    """One process's part of a job. `folder` is one that all processes reach."""

    def __init__(
        self, request: TrainingRequest, store: SyncObjectStore, folder: Path, watch: Watch, world: World
    ) -> None:
        super().__init__(request, store, folder / f"rank-{world.rank}", AgreedWatch(watch, world))
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._world = world

    def _device(self) -> torch.device:
        return self._world.device

"""One process of a job, to its end: it meets the others, does its part, and the lead writes the result manifest."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
from assay_chassis.job_service.records import manifest_bytes
from assay_chassis.object_store import StoreSettings, SyncObjectStore
from assay_schemas.artifacts import manifest_key
from assay_schemas.jobs import TrainingRequest
from assay_schemas.parallelism import ONLINE_ALGORITHMS, Parallelism
from assay_schemas.results import TrainingResult

from assay_trainer.errors import Interrupted
from assay_trainer.loop import Watch
from assay_trainer.parallel.spread_job import SamplingTrainingJob, SpreadTrainingJob
from assay_trainer.parallel.world import World, join, leave, only_device

RENDEZVOUS = "rendezvous"


def train_rank(
    rank: int, request: TrainingRequest, layout: Parallelism, folder: Path, watch: Watch
) -> TrainingResult | None:
    """Be one of the processes of this machine to the end; the lead's result, whose manifest is written."""
    device = only_device(rank) if request.hardware.gpus else torch.device("cpu")
    return train_in(join(rank, layout, device, folder / RENDEZVOUS), request, folder, watch)


def train_in(world: World, request: TrainingRequest, folder: Path, watch: Watch) -> TrainingResult | None:
    """Be one of the processes that have met, to the end; the lead's result, whose manifest is written."""
    hardware = request.hardware
    torch.set_num_threads(max(1, int(hardware.cpus) * hardware.nodes // world.parallelism.processes))
    try:
        with SyncObjectStore(StoreSettings()) as store:
            kind = SamplingTrainingJob if request.inputs.algorithm in ONLINE_ALGORITHMS else SpreadTrainingJob
            job = kind(request, store, folder, watch, world)
            try:
                trained = job.train()
            except Interrupted:
                dist.barrier()  # who left first would end the lead, whose checkpoint may still be on its way
                raise
            if not world.lead:
                return None
            result = job.result(trained)
            manifest = manifest_key(result.job_key, result.attempt)
            store.put_bytes(manifest, manifest_bytes(result), media_type="application/json")
            return result
    finally:
        leave()

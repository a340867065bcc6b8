"""A training job over several machines: Ray Train starts a process for each rank, and starts all anew after a loss.

Runs in the job's own process, which only watches. The processes meet in the job's scratch folder, which every node
of the cluster must see, as the runs' folders already are.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from assay_chassis.compute import JobContext
from assay_chassis.compute.ray import CLUSTER
from assay_chassis.job_service.failures import JobFailed
from assay_schemas.jobs import TrainingRequest
from assay_schemas.parallelism import Parallelism

from assay_trainer.cluster import connect, settings_of
from assay_trainer.errors import BadInput
from assay_trainer.parallel import meeting
from assay_trainer.parallel.node_rank import be_rank

LOSSES = 3
LOOK_S = 0.5
COLLECTIVE_TIMEOUT_S = 600
GIB = 2**30
SHARED_DEVICES = "TRAIN_ENABLE_SHARE_CUDA_VISIBLE_DEVICES"
"""By this setting of Ray Train a process sees its machine's other GPUs too; a rollout engine takes the first one."""


class NodesLost(JobFailed):
    """Processes on other machines were lost more often than Ray Train may start them anew."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            "lost_rank",
            f"processes were lost and started again {LOSSES} times, the last time: {reason}; the next attempt goes on "
            "from the last checkpoint. Look at the cluster's nodes",
            retryable=True,
        )


def run_over_nodes(context: JobContext, request: TrainingRequest, layout: Parallelism, folder: Path) -> None:
    """Do the job in `layout.processes` processes of a Ray cluster. Raises the JobFailed of the first that failed, or
    NodesLost."""
    if CLUSTER not in os.environ:
        raise BadInput(
            "hardware.nodes: no Ray cluster is around this job, as ASSAY_BACKEND=ray and kubernetes have; set it to 1"
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    over = threading.Event()
    watching = threading.Thread(target=_watch, args=(context, folder, over), daemon=True)
    watching.start()
    try:
        _fit(request, layout, folder)
    finally:
        over.set()
        watching.join(5)
    failure = meeting.failure(folder)
    if failure is not None:
        raise failure
    result = meeting.read(folder, meeting.RESULT)
    if result is None:
        raise NodesLost("no process left a result")
    context.finish(result)


def _fit(request: TrainingRequest, layout: Parallelism, folder: Path) -> None:
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchConfig, TorchTrainer

    gpus = request.hardware.gpus > 0
    os.environ[SHARED_DEVICES] = "0"
    connect()
    trainer = TorchTrainer(
        be_rank,
        train_loop_config={"request": request.model_dump_json(), "layout": layout.model_dump(), "folder": str(folder)},
        scaling_config=ScalingConfig(
            num_workers=layout.processes,
            use_gpu=gpus,
            resources_per_worker=resources_of_one(request, layout),
            placement_strategy="SPREAD",
        ),
        torch_config=TorchConfig(backend="nccl" if gpus else "gloo", timeout_s=COLLECTIVE_TIMEOUT_S),
        run_config=RunConfig(
            name=folder.parent.parent.name,
            storage_path=str(folder / "ray"),
            failure_config=FailureConfig(max_failures=LOSSES),
            worker_runtime_env={"py_executable": sys.executable, "env_vars": settings_of(dict(os.environ))},
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        if meeting.failure(folder) is None:
            raise NodesLost(str(error).strip().splitlines()[-1][:500]) from error
    finally:
        ray.shutdown()


def resources_of_one(request: TrainingRequest, layout: Parallelism) -> dict[str, float]:
    """What one process is given, in Ray's words: a machine's share of cores and memory, and one GPU where asked."""
    hardware = request.hardware
    on_one = layout.processes // hardware.nodes
    found = {"CPU": max(1.0, hardware.cpus // on_one)}
    if hardware.gpus:
        found["GPU"] = 1.0
    if hardware.memory_gib is not None:
        found["memory"] = hardware.memory_gib * GIB / on_one
    return found


def _watch(context: JobContext, folder: Path, over: threading.Event) -> None:
    """Pass the lead's progress on, and the wish to stop to all."""
    last: dict[str, Any] | None = None
    while not over.wait(LOOK_S):
        with suppress(OSError):
            if context.should_stop():
                (folder / meeting.STOP).touch()
            found = meeting.read(folder, meeting.PROGRESS)
            if found is not None and found != last:
                last = found
                context.report_progress(found)

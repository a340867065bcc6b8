"""One process of a job over several machines, as Ray Train calls it: its group is joined already.

A job that ended by its own fault is not tried again by Ray Train; whatever else raises here is a loss, which it is.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from pathlib import Path
from typing import Any

from assay_chassis.job_service.failures import JobFailed
from assay_schemas.jobs import TrainingRequest
from assay_schemas.parallelism import Parallelism

from assay_trainer.parallel import meeting


def be_rank(config: dict[str, Any]) -> None:
    """`config`: the request as JSON, the layout, and the folder that all processes see."""
    import ray.train
    from ray.train.torch import get_device

    from assay_trainer.parallel.rank import train_in
    from assay_trainer.parallel.world import world_of
    from assay_trainer.tracking import tracked

    logging.basicConfig(level=logging.INFO, force=True)
    folder, rank = Path(config["folder"]), ray.train.get_context().get_world_rank()
    if meeting.failure(folder) is not None:
        return
    meeting.write(folder, f"{meeting.MACHINE}-{rank}.json", {"host": socket.gethostname(), "pid": os.getpid()})
    request = TrainingRequest.model_validate_json(config["request"])
    watch = meeting.FolderWatch(folder)
    watching = tracked(request, watch) if rank == 0 else contextlib.nullcontext(watch)
    try:
        with watching as watched:
            world = world_of(rank, Parallelism(**config["layout"]), get_device())
            result = train_in(world, request, folder, watched)
    except JobFailed as error:
        meeting.tell_failure(folder, rank, error)
        return
    if result is not None:
        meeting.write(folder, meeting.RESULT, {})

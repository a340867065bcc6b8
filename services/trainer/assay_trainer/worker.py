"""The entrypoint of a training job: in this process or spread over several; leaves the result manifest last.

Runs in a process of its own; never touches the broker.
"""

from __future__ import annotations

import logging

from assay_chassis.compute import JobContext
from assay_chassis.job_service.records import has_ended, manifest_bytes
from assay_chassis.object_store import StoreSettings, SyncObjectStore
from assay_schemas.artifacts import manifest_key
from assay_schemas.jobs import TrainingRequest
from assay_schemas.parallelism import Parallelism

from assay_trainer.errors import BadInput
from assay_trainer.layout import layout_for
from assay_trainer.tracking import tracked
from assay_trainer.training_job import TrainingJob
from assay_trainer.version import ENGINE_VERSION

log = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Do the job that the context's payload, a TrainingRequest, asks for."""
    request = TrainingRequest.model_validate(context.payload)
    if request.inputs.engine_version != ENGINE_VERSION:
        raise BadInput(
            f"inputs.engine_version: {request.inputs.engine_version} is asked, and this environment has "
            f"{ENGINE_VERSION}; declare the other's environment with `assay images add`"
        )
    with SyncObjectStore(StoreSettings()) as store:
        if has_ended(store, request.job_key, request.attempt):
            log.info("this attempt has ended before: nothing is done again")
            context.finish({})
            return
    layout = layout_for(request)
    if in_shards(request, layout):
        from assay_trainer.parallel.job import run_spread

        run_spread(context, request, layout)
    else:
        run_alone(context, request)


def in_shards(request: TrainingRequest, layout: Parallelism) -> bool:
    """Whether there are several processes, or one whose only shard rests in main memory while its GPU computes."""
    return layout.processes > 1 or (request.hardware.cpu_offload and request.hardware.gpus > 0)


def run_alone(context: JobContext, request: TrainingRequest) -> None:
    """Do the job in this process."""
    with SyncObjectStore(StoreSettings()) as store, tracked(request, context) as watch:
        result = TrainingJob(request, store, context.workdir, watch).run()
        manifest = manifest_key(result.job_key, result.attempt)
        store.put_bytes(manifest, manifest_bytes(result), media_type="application/json")
    context.finish({})

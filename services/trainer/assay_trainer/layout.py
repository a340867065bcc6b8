"""How many processes a job gets and what each does, from what is declared and from the model's shape.

Asks before anything is loaded; the choice itself is a pure function of the schemas.
"""

from __future__ import annotations

import json
import logging

from assay_chassis.object_store import StoreSettings, SyncObjectStore
from assay_schemas.cost.estimate import memory_per_layout
from assay_schemas.cost.machine import machine_of
from assay_schemas.cost.parallelism import layout_of
from assay_schemas.cost.shape import shape_of
from assay_schemas.jobs import TrainingRequest
from assay_schemas.parallelism import SINGLE, Parallelism

log = logging.getLogger(__name__)


def layout_for(request: TrainingRequest) -> Parallelism:
    """The job's parallelism; what `auto` chose, and why, is in the log."""
    hardware = request.hardware
    if hardware.parallelism is not None:
        return hardware.parallelism
    if hardware.gpus <= 1 and hardware.nodes == 1:
        log.info("parallelism: one process (auto: %s)", "one device" if hardware.gpus else "no GPUs")
        return SINGLE
    with SyncObjectStore(StoreSettings()) as store:
        shape = shape_of(json.loads(store.get_bytes(f"{request.model.uri.rstrip('/')}/config.json")))
    inputs = request.inputs
    machine = machine_of(hardware, inputs.hyperparameters.get("dtype", "float32"))
    adapters = inputs.hyperparameters.get("lora") is not None
    memory_gib = memory_per_layout(inputs, shape, hardware)
    engine = str(inputs.hyperparameters.get("rollout_engine"))
    choice = layout_of(hardware, inputs.algorithm, adapters, shape, machine.memory_gib, memory_gib, engine)
    log.info("parallelism: %s (%s)", choice.parallelism.in_words(), choice.reason)
    return choice.parallelism

"""How many processes an evaluation is spread over, from what its job was given.

Pure but for a look at the size of the weights; never part of a job's key.
"""

from __future__ import annotations

import math
from pathlib import Path

from assay_schemas.experiments import Hardware

GIB = 2**30
PROCESS_GIB = 0.75
WEIGHTS_FACTOR = 2.0
"""Weights, their copy while they are read, and activations, as a multiple of the files' size."""


def workers_for(hardware: Hardware, folder: Path) -> int:
    """One process for each GPU; without any, one for each core, as far as the job's memory holds copies."""
    if hardware.gpus:
        return hardware.gpus
    weights_gib = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / GIB
    room = hardware.memory_gib / (PROCESS_GIB + WEIGHTS_FACTOR * weights_gib)
    return max(1, min(math.floor(hardware.cpus), math.floor(room)))

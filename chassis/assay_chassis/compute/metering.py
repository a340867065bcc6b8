"""What an attempt at a job uses: time, and the energy of its GPUs by their own counters.
Never estimates: energy stays unknown where a device does not tell, or this process sees only part of the job's GPUs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from assay_schemas.jobs import Usage

from assay_chassis.compute.devices import VISIBLE

MILLI = 1e-3


class Meter:
    """Reads the clocks when it is made. `gpus`: how many the job has, over all its machines."""

    def __init__(self, gpus: int) -> None:
        self._gpus = gpus
        self._began, self._cpu_began = time.monotonic(), time.process_time()
        self._counted = counters(gpus)

    def usage(self, *, peak_memory_gib: float, tokens: int = 0) -> Usage:
        """Everything since the meter was made."""
        wall_s = time.monotonic() - self._began
        return Usage(
            wall_s=wall_s,
            cpu_s=time.process_time() - self._cpu_began,
            gpu_s=wall_s * self._gpus,
            gpu_energy_j=self._energy_j(),
            peak_memory_gib=peak_memory_gib,
            tokens=tokens,
        )

    def _energy_j(self) -> float | None:
        now = counters(self._gpus)
        if self._counted is None or now is None or now.keys() != self._counted.keys():
            return None
        return MILLI * sum(now[gpu] - self._counted[gpu] for gpu in now)


def counters(gpus: int, environment: Mapping[str, str] = os.environ) -> dict[str, int] | None:
    """Millijoules by GPU since its driver was loaded (NVML, Volta and later); None where not all of the job's GPUs are
    whole devices of this machine that count."""
    if gpus == 0:
        return None
    with suppress(ImportError):
        nvml: Any = import_module("pynvml")
        with suppress(nvml.NVMLError):
            nvml.nvmlInit()
            try:
                found = _counters(nvml, environment.get(VISIBLE))
            finally:
                nvml.nvmlShutdown()
            return found if len(found) == gpus else None
    return None


def _counters(nvml: Any, visible: str | None) -> dict[str, int]:
    """`visible`: places or names, as CUDA takes them; all that the driver shows where it is None."""
    names = [str(place) for place in range(nvml.nvmlDeviceGetCount())] if visible is None else visible.split(",")
    found = {}
    for name in (name.strip() for name in names if name.strip()):
        by_place = name.isdigit()
        handle = nvml.nvmlDeviceGetHandleByIndex(int(name)) if by_place else nvml.nvmlDeviceGetHandleByUUID(name)
        found[name] = int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    return found

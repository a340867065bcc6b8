"""Which GPUs of this machine a run may see.
Never talks to a GPU: a process that did could not fork jobs that use one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")


def machine_gpus(environment: Mapping[str, str] = os.environ, driver: Path = DRIVER) -> tuple[str, ...]:
    """The GPUs that CUDA_VISIBLE_DEVICES leaves, or else all that the driver lists, as CUDA names them."""
    if VISIBLE in environment:
        return tuple(name for name in environment[VISIBLE].split(",") if name.strip())
    return tuple(str(number) for number, _ in enumerate(driver.iterdir())) if driver.is_dir() else ()


def choose(count: int, all_gpus: Sequence[str], taken: Iterable[str]) -> tuple[str, ...] | None:
    """`count` free GPUs, or None while too few are free."""
    busy = set(taken)
    free = [gpu for gpu in all_gpus if gpu not in busy]
    return tuple(free[:count]) if len(free) >= count else None

"""The libraries of jobs, loaded while the rest of the system starts: a first warm parent that belongs to no service.

Never waited for, and never loads a service's code, which is read anew when the service starts again. Where it is not
there, the services' own warm parents load by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay_chassis.compute.warm_client import WarmClient

MODULES = ("assay_trainer.architectures",)
"""Libraries alone, though the list is the trainer's: most of what a training imports."""
WARM_UP = "ASSAY_WARM_UP_AFTER_S"
_IDLE_S = 60.0
"""Time for every service to start and to ask for its own warm parent, which lives on without this one."""


def wanted(environment: Mapping[str, str], services: Mapping[str, str]) -> bool:
    """Whether jobs will be processes of this machine, and nobody said when their libraries are to be loaded."""
    return "trainer" in services and environment.get("ASSAY_BACKEND", "local") == "local" and WARM_UP not in environment


def begin(folder: Path, sharing: Path, environment: Mapping[str, str]) -> WarmClient:
    """Start to load them, where no other process does. `environment` is that of services, without their settings;
    `sharing` is where their warm parents will meet this one. Whoever calls this ends what it returns."""
    from assay_chassis.compute.warm_client import WarmClient  # the broker need not wait for its imports

    client = WarmClient(folder, MODULES, environment, grace_s=0.0, idle_s=_IDLE_S, sharing=sharing)
    client.ensure()
    return client

"""What this system has to offer an experiment: room for one job, engines, versions, endpoints, standard hardware.

Values, and readers of the operator's files, which may change meanwhile. Judges no request: `beyond` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from assay_schemas.endpoints import Endpoint
from assay_schemas.standard_hardware import HardwareTable, hardware_table
from assay_schemas.versions import SHIPPED, Versions

from assay_scheduler.policy import Resources


def _shipped() -> Versions:
    return SHIPPED


@dataclass(frozen=True)
class Installation:
    capacity: Resources
    """All there is, for refusing what could never run."""
    most_nodes: int
    """Of how many machines one job may be."""
    backend: str = "local"
    rollout_engine: str = "transformers"
    """What `auto` stands for."""
    evaluation_engines: Collection[str] = ("transformers",)
    """Those that evaluators have."""
    endpoints: Callable[[], Mapping[str, Endpoint]] = dict
    """Models behind an API that may be asked. Raises EndpointsUnreadable."""
    versions: Callable[[], Versions] = _shipped
    """Versions of engine and harness. Raises VersionsUnreadable."""
    standard_hardware: HardwareTable = field(default_factory=hardware_table)

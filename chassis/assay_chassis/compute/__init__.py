"""Where jobs run: one contract, and the backends that keep it.
Never imports Ray or a machine-learning library."""

from assay_chassis.compute.base import (
    Cause,
    ComputeBackend,
    JobRun,
    Resources,
    RunState,
    RunStatus,
    run_name,
)
from assay_chassis.compute.context import JobContext
from assay_chassis.compute.environments import Environments, environments_of
from assay_chassis.compute.errors import (
    BackendUnavailable,
    ComputeError,
    EntrypointInvalid,
    ResourcesUnavailable,
    RunStillActive,
    RunUnknown,
)
from assay_chassis.compute.local import LocalBackend
from assay_chassis.compute.memory import MemoryBackend
from assay_chassis.compute.opening import open_backend
from assay_chassis.compute.settings import ComputeSettings
from assay_chassis.compute.shared import SharedRuns

__all__ = [
    "BackendUnavailable",
    "Cause",
    "ComputeBackend",
    "ComputeError",
    "ComputeSettings",
    "EntrypointInvalid",
    "Environments",
    "JobContext",
    "JobRun",
    "LocalBackend",
    "MemoryBackend",
    "Resources",
    "ResourcesUnavailable",
    "RunState",
    "RunStatus",
    "RunStillActive",
    "RunUnknown",
    "SharedRuns",
    "environments_of",
    "open_backend",
    "run_name",
]

"""From a setting to the compute backend it names.
Never starts the backend, and imports Ray only for the ray backend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay_chassis.compute.base import ComputeBackend
from assay_chassis.compute.errors import BackendMissing
from assay_chassis.compute.local import LocalBackend
from assay_chassis.compute.memory import MemoryBackend
from assay_chassis.compute.settings import ComputeSettings


def open_backend(
    settings: ComputeSettings,
    service: str,
    *,
    preload: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> ComputeBackend:
    """The backend of one service, with its runs under `<compute_root>/<service>`; call `start` next.

    Raises BackendMissing for one that this version does not have."""
    root, grace_s = settings.compute_root / service, settings.stop_grace_s
    if settings.backend == "local":
        return LocalBackend(
            root,
            preload=preload,
            environment=environment,
            grace_s=grace_s,
            warm_up_after_s=settings.warm_up_after_s,
        )
    if settings.backend == "ray":
        from assay_chassis.compute.ray import RayBackend

        return RayBackend(root, address=settings.ray_address, environment=environment, grace_s=grace_s)
    if settings.backend == "memory":
        return MemoryBackend(root, grace_s=grace_s)
    raise BackendMissing(settings.backend, "local or ray")

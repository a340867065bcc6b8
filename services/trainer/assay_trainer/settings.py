"""The trainer's settings: what every service has, and where its jobs run.

Never read inside a job; a job gets its object store, and where its trackers write, through the environment.
"""

from __future__ import annotations

from pathlib import Path

from assay_chassis.compute import ComputeSettings
from assay_chassis.settings import ServiceSettings

from assay_trainer.tracking.settings import TrackingSettings


class TrainerSettings(ServiceSettings):
    """The trainer adds nothing of its own yet."""


def compute_settings(settings: TrainerSettings) -> ComputeSettings:
    """Where jobs run, from the same environment; without a folder of their own, under the service's state."""
    compute = ComputeSettings()
    if "compute_root" in compute.model_fields_set:
        return compute
    return compute.model_copy(update={"compute_root": settings.state_dir.absolute() / "compute"})


def tracking_dir(settings: TrainerSettings) -> Path:
    """Where trackers write files, absolute: jobs run in folders of their own, which go when they end.

    Raises pydantic.ValidationError for a tracker that is not known."""
    tracking = TrackingSettings()
    if "tracking_dir" in tracking.model_fields_set:
        return tracking.tracking_dir.absolute()
    return settings.state_dir.absolute() / "tracking"

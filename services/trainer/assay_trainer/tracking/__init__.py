"""Where else a run's metrics go, by name. To add one: a file here and a line in TRACKERS.

A tracker's library is imported only in a job that uses it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

from assay_trainer.tracking.base import TrackedRun, TrackedWatch, Tracker, TrackerUnusable
from assay_trainer.tracking.settings import TrackingSettings

TRACKERS: Mapping[str, str] = {
    "tensorboard": "assay_trainer.tracking.tensorboard:TensorBoard",
    "mlflow": "assay_trainer.tracking.mlflow:MlFlow",
    "wandb": "assay_trainer.tracking.wandb:WeightsAndBiases",
}

__all__ = ["TRACKERS", "TrackedRun", "TrackedWatch", "Tracker", "TrackerUnusable", "TrackingSettings", "open_tracker"]


def open_tracker(name: str, run: TrackedRun, settings: TrackingSettings) -> Tracker:
    """The named tracker, open for a run. Raises TrackerUnusable."""
    module, _, attribute = TRACKERS[name].partition(":")
    tracker: Tracker = getattr(importlib.import_module(module), attribute)(run, settings)
    return tracker

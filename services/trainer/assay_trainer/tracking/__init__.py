"""Where else a run's metrics go, by name. To add one: a file here and a line in TRACKERS.

A tracker's library is imported only in a job that uses it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from assay_chassis.compute import run_name
from assay_schemas.jobs import TrainingRequest

from assay_trainer.tracking.base import TrackedRun, TrackedWatch, Tracker, TrackerUnusable
from assay_trainer.tracking.settings import TrackingSettings

if TYPE_CHECKING:
    from assay_trainer.loop import Watch

TRACKERS: Mapping[str, str] = {
    "tensorboard": "assay_trainer.tracking.tensorboard:TensorBoard",
    "mlflow": "assay_trainer.tracking.mlflow:MlFlow",
    "wandb": "assay_trainer.tracking.wandb:WeightsAndBiases",
}

__all__ = [
    "TRACKERS",
    "TrackedRun",
    "TrackedWatch",
    "Tracker",
    "TrackerUnusable",
    "TrackingSettings",
    "open_tracker",
    "tracked",
]


def open_tracker(name: str, run: TrackedRun, settings: TrackingSettings) -> Tracker:
    """The named tracker, open for a run. Raises TrackerUnusable."""
    module, _, attribute = TRACKERS[name].partition(":")
    tracker: Tracker = getattr(importlib.import_module(module), attribute)(run, settings)
    return tracker


def tracked(request: TrainingRequest, watch: Watch) -> TrackedWatch:
    """The job's watch, with the trackers that the user has set."""
    settings, inputs = TrackingSettings(), request.inputs
    parameters = {name: value for name, value in inputs.hyperparameters.items() if isinstance(value, str | int | float)}
    identity = {"algorithm": inputs.algorithm, "seed": inputs.seed, "model": inputs.model, "dataset": inputs.dataset}
    run = TrackedRun(run_name("training", request.job_key, request.attempt), {**parameters, **identity})
    return TrackedWatch(watch, [partial(open_tracker, name, run, settings) for name in settings.trackers])

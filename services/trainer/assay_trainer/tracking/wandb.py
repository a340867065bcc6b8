"""Weights & Biases, as WANDB_API_KEY, WANDB_BASE_URL and WANDB_MODE say.

Never uploads code or models.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay_trainer.tracking.base import TrackedRun, library_missing
from assay_trainer.tracking.settings import TrackingSettings


class WeightsAndBiases:
    """Raises TrackerUnusable, and what the library raises where it may not log in."""

    def __init__(self, run: TrackedRun, settings: TrackingSettings) -> None:
        try:
            import wandb
        except ImportError as error:
            raise library_missing("wandb", "wandb") from error
        settings.tracking_dir.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=settings.tracking_project,
            id=run.name,
            name=run.name,
            config=dict(run.parameters),
            dir=str(settings.tracking_dir),
            resume="allow",
            settings=wandb.Settings(console="off", disable_code=True, disable_git=True),
        )

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()

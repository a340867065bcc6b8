"""TensorBoard's event files, a folder a run below ASSAY_TRACKING_DIR.

Never reads them back: a resumed run writes a further file into the same folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay_trainer.tracking.base import TrackedRun, library_missing
from assay_trainer.tracking.settings import TrackingSettings


class TensorBoard:
    """Raises TrackerUnusable."""

    def __init__(self, run: TrackedRun, settings: TrackingSettings) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise library_missing("tensorboard", "tensorboard") from error
        self._writer = SummaryWriter(str(settings.tracking_dir / settings.tracking_project / run.name))
        table = "".join(f"| {name} | {value} |\n" for name, value in run.parameters.items())
        self._writer.add_text("run", f"| | |\n|---|---|\n{table}")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()

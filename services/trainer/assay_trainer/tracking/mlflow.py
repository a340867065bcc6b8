"""MLflow, at the server or folder of MLFLOW_TRACKING_URI.

Never uploads models: the object store has them.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay_trainer.tracking.base import TrackedRun, TrackerMissing
from assay_trainer.tracking.settings import TrackingSettings


class MlFlow:
    """Raises TrackerMissing, and what MLflow raises where its server does not answer."""

    def __init__(self, run: TrackedRun, settings: TrackingSettings) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise TrackerMissing("mlflow", "mlflow-skinny") from error
        self._mlflow = mlflow
        mlflow.set_experiment(settings.tracking_project)
        mlflow.start_run(run_name=run.name)
        mlflow.log_params(dict(run.parameters))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(values), step=step, synchronous=False)

    def close(self) -> None:
        self._mlflow.end_run()

"""MLflow, at the server or folder of MLFLOW_TRACKING_URI.

Never uploads models: the object store has them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from assay_trainer.tracking.base import TrackedRun, TrackerUnusable, library_missing
from assay_trainer.tracking.settings import TrackingSettings

URI = "MLFLOW_TRACKING_URI"
RELATIVE = ("sqlite:///", "file:")


class MlFlow:
    """Raises TrackerUnusable, and what MLflow raises where its server does not answer."""

    def __init__(self, run: TrackedRun, settings: TrackingSettings) -> None:
        _check_place(os.environ.get(URI, ""))
        try:
            import mlflow
        except ImportError as error:
            raise library_missing("mlflow", "mlflow-skinny") from error
        self._mlflow = mlflow
        mlflow.set_experiment(settings.tracking_project)
        mlflow.start_run(run_name=run.name)
        mlflow.log_params(dict(run.parameters))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(values), step=step, synchronous=False)

    def close(self) -> None:
        self._mlflow.end_run()


def _check_place(uri: str) -> None:
    """Without a place of its own MLflow writes into the working folder, which goes with the job."""
    path = next((uri.removeprefix(scheme) for scheme in RELATIVE if uri.startswith(scheme)), uri)
    if "://" in path or path.startswith(("/", "databricks")):
        return
    why = f"and {URI} is " + (f"relative ({uri}), so that its files would go with the job" if uri else "not set")
    raise TrackerUnusable("mlflow", why, f"set {URI} to a server, or to a folder's absolute file:// URI")

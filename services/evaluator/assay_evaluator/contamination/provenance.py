"""Which snapshot a selected checkpoint was trained on: from the selection to its training to its dataset.

Reads manifests from the store; the evaluation's key already stands for all of it, by the selection's key.
"""

from __future__ import annotations

from typing import TypeVar

from assay_chassis.object_store import SyncObjectStore
from assay_schemas.artifacts import results_prefix, rows_key
from assay_schemas.jobs import EvalInputs
from assay_schemas.results import Manifest, SelectionResult, TrainingResult

Result = TypeVar("Result", bound=Manifest)
MANIFEST = "manifest.json"


def training_snapshot(store: SyncObjectStore, inputs: EvalInputs) -> str | None:
    """The digest of the snapshot; None for a model that was not trained here, or whose traces are gone."""
    if inputs.selection is None:
        return None
    selection = _result(store, inputs.selection, SelectionResult)
    training = _result(store, selection.inputs.training, TrainingResult) if selection else None
    if training is None or not store.exists(rows_key(training.inputs.dataset)):
        return None
    return training.inputs.dataset


def _result(store: SyncObjectStore, job_key: str, kind: type[Result]) -> Result | None:
    """The manifest of any attempt that succeeded: attempts of one key did the same work."""
    for entry in store.list(results_prefix(job_key)):
        if entry.uri.endswith(f"/{MANIFEST}"):
            return kind.model_validate_json(store.get_bytes(entry.uri))
    return None

"""The contamination of an evaluation, from a selection in the store to a file beside its samples."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from assay_chassis.object_store import SyncObjectStore
from assay_evaluator.contamination import checking
from assay_evaluator.contamination.checking import contamination_of
from assay_schemas.artifacts import CheckpointRef, manifest_key, rows_key
from assay_schemas.canonical import sha256_hex
from assay_schemas.datasets import snapshot_bytes
from assay_schemas.jobs import EvalInputs, SelectionInputs, TrainingInputs, job_key
from assay_schemas.results import SavedCheckpoint, SelectionResult, TrainingResult

QUESTION = "Tom has seven red apples and gives two of them to Ann who eats one of hers"
ROWS = [{"id": "clean", "text": "nothing to see"}, {"id": "leak", "prompt": f"{QUESTION}.", "completion": " 6"}]
TEXTS = {"a": (QUESTION, "6"), "b": ("Short one?", "2")}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def trained(store: SyncObjectStore, rows: Sequence[dict[str, Any]]) -> EvalInputs:
    """What an evaluation declares of a model that was trained on these rows and selected."""
    data = snapshot_bytes(rows)
    store.put_bytes(rows_key(sha256_hex(data)), data)
    training = TrainingInputs(
        algorithm="SFT", engine_version="1", model="0" * 64, dataset=sha256_hex(data), hyperparameters={}, seed=0
    )
    checkpoint = CheckpointRef(uri="file:///c", digest="0" * 64, step=1)
    done = TrainingResult(
        job_key=job_key(training),
        attempt=2,
        completed_at=NOW,
        inputs=training,
        checkpoints=[SavedCheckpoint(checkpoint=checkpoint)],
        steps=1,
        rows=len(rows),
        validation_rows=0,
    )
    selection = SelectionInputs(training=done.job_key, policy="last")
    selected = SelectionResult(
        job_key=job_key(selection), attempt=1, completed_at=NOW, inputs=selection, checkpoint=checkpoint
    )
    for manifest in (done, selected):
        store.put_bytes(manifest_key(manifest.job_key, manifest.attempt), manifest.model_dump_json().encode())
    return EvalInputs(selection=selected.job_key, benchmark="numeric", harness_version="lm-eval-0.4.13", parameters={})


def table(data: bytes) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = pq.ParquetFile(io.BytesIO(data)).read().to_pylist()
    return rows


def test_items_of_the_snapshot_the_model_was_trained_on_are_named(store: SyncObjectStore) -> None:
    found = contamination_of(store, trained(store, ROWS), TEXTS, lambda: None)
    assert found is not None
    assert (found.items, found.contaminated, found.unknown) == (2, 1, 1)
    leaked, short = table(store.get_bytes(found.overlap))
    assert (leaked["item_id"], leaked["overlap_13"], leaked["contaminated"]) == ("a", 1.0, True)
    assert (leaked["row_id"], leaked["row_index"]) == ("leak", 1)
    assert (short["item_id"], short["words"], short["contaminated"], short["row_id"]) == ("b", 3, None, None)


def test_seeds_that_share_snapshot_and_items_share_the_table(
    store: SyncObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = trained(store, ROWS)
    first = contamination_of(store, inputs, TEXTS, lambda: None)
    monkeypatch.setattr(checking, "OverlapIndex", None)
    assert contamination_of(store, inputs, TEXTS, lambda: None) == first


def test_a_model_that_was_not_trained_here_has_no_contamination_to_state(store: SyncObjectStore) -> None:
    control = EvalInputs(model="0" * 64, benchmark="numeric", harness_version="lm-eval-0.4.13", parameters={})
    assert contamination_of(store, control, TEXTS, lambda: None) is None
    lost = EvalInputs(selection="1" * 64, benchmark="numeric", harness_version="lm-eval-0.4.13", parameters={})
    assert contamination_of(store, lost, TEXTS, lambda: None) is None

"""Selection jobs: from a training's manifest in the store to the selection's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from assay_chassis.object_store import MemoryStore
from assay_evaluator.choosing import Chooser
from assay_evaluator.handlers import selection
from assay_schemas.artifacts import ArtifactRef, CheckpointRef, manifest_key
from assay_schemas.jobs import SelectionInputs, SelectionRequest, TrainingInputs, job_key
from assay_schemas.results import SavedCheckpoint, TrainingResult

TRAINING = TrainingInputs(
    algorithm="SFT", engine_version="1", model="a" * 64, dataset="b" * 64, hyperparameters={}, seed=0
)


def result(losses: dict[int, float | None]) -> TrainingResult:
    checkpoints = [
        SavedCheckpoint(
            checkpoint=CheckpointRef(uri=f"memory://store/{step}", digest=f"{step:064x}", step=step),
            validation_loss=loss,
        )
        for step, loss in losses.items()
    ]
    return TrainingResult(
        job_key=job_key(TRAINING),
        attempt=1,
        completed_at=datetime(2026, 1, 1, tzinfo=UTC),
        inputs=TRAINING,
        checkpoints=checkpoints,
        steps=max(losses),
        rows=10,
        validation_rows=2,
    )


async def request(store: MemoryStore, losses: dict[int, float | None], **inputs: Any) -> SelectionRequest:
    training = result(losses)
    key = manifest_key(training.job_key, 1)
    reference = await store.put_bytes(key, training.model_dump_json().encode())
    declared = SelectionInputs(**{"training": training.job_key, "policy": "best_validation", **inputs})
    return SelectionRequest(job_key=job_key(declared), attempt=2, inputs=declared, training_result=reference)


async def test_the_manifest_names_the_checkpoint_every_score_and_the_reason() -> None:
    store = MemoryStore()
    asked = await request(store, {10: 2.0, 20: 1.0, 30: 1.5})
    chosen = await Chooser(store)(asked)
    assert chosen.checkpoint.step == 20
    assert chosen.scores == {10: 2.0, 20: 1.0, 30: 1.5}
    assert (chosen.job_key, chosen.attempt) == (asked.job_key, 2)
    assert "lowest of 3 validation losses" in chosen.reason


async def test_a_training_result_that_is_gone_is_bad_input() -> None:
    store = MemoryStore()
    asked = await request(store, {10: 2.0})
    store.objects.clear()
    with pytest.raises(JobFailed, match="training_result") as caught:
        await Chooser(store)(asked)
    assert caught.value.error_class == "bad_input"


async def test_the_result_of_another_training_is_refused() -> None:
    store = MemoryStore()
    asked = await request(store, {10: 2.0}, training="c" * 64)
    with pytest.raises(JobFailed, match="not of cccc"):
        await Chooser(store)(asked)


async def test_something_that_is_no_training_result_is_refused() -> None:
    store = MemoryStore()
    asked = await request(store, {10: 2.0})
    other = await store.put_bytes("other.json", b"{}")
    reference = ArtifactRef(uri=other.uri, sha256=other.sha256, size=other.size)
    with pytest.raises(JobFailed, match="is no training result"):
        await Chooser(store)(asked.model_copy(update={"training_result": reference}))


async def test_only_a_selection_by_benchmark_goes_to_the_backend() -> None:
    store = MemoryStore()
    kinds = selection(store)
    quick = await request(store, {10: 2.0})
    slow = await request(store, {10: 2.0}, policy="best_benchmark")
    assert kinds.inline_for(quick) is not None
    assert kinds.inline_for(slow) is None

"""A selection by benchmark: every checkpoint is asked the same items, and none that is reported."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from assay_chassis.object_store import SyncObjectStore
from assay_evaluator.samples import samples_from_parquet
from assay_schemas.artifacts import CheckpointRef, ModelRef, manifest_key
from assay_schemas.canonical import digest_of
from assay_schemas.jobs import (
    EvalInputs,
    EvalRequest,
    ItemSplit,
    SelectionInputs,
    SelectionRequest,
    TrainingInputs,
    job_key,
)
from assay_schemas.results import SavedCheckpoint, SelectionResult, TrainingResult

pytestmark = pytest.mark.real
Rows = list[dict[str, Any]]
Asked = Callable[..., SelectionRequest]
STEPS = (10, 20, 30)
TRAINING = TrainingInputs(
    algorithm="SFT", engine_version="1", model="a" * 64, dataset="b" * 64, hyperparameters={}, seed=0
)


@pytest.fixture(scope="module")
def checkpoints(model: Path, tmp_path_factory: pytest.TempPathFactory) -> list[CheckpointRef]:
    """The tiny model three times, its weights further and further from what they were."""
    import torch
    from safetensors.torch import load_file, save_file

    references = []
    for step in STEPS:
        folder = tmp_path_factory.mktemp("checkpoints") / str(step)
        shutil.copytree(model, folder)
        tensors = load_file(folder / "model.safetensors")
        torch.manual_seed(step)
        moved = {name: one + 0.002 * step * torch.randn_like(one) for name, one in tensors.items()}
        save_file(moved, folder / "model.safetensors", {"format": "pt"})
        references.append(CheckpointRef(uri=folder.as_uri(), digest=digest_of(step), step=step))
    return references


@pytest.fixture
def asked(ask, store: SyncObjectStore) -> Asked:
    """Makes the request for a selection among checkpoints, by benchmark over rows."""
    return partial(request_for, ask, store)


def request_for(
    ask: Any, store: SyncObjectStore, checkpoints: list[CheckpointRef], rows: Rows, **inputs: Any
) -> SelectionRequest:
    evaluated: EvalRequest = ask("perplexity", rows)
    items = evaluated.items
    assert items is not None
    training = TrainingResult(
        job_key=job_key(TRAINING), attempt=1, completed_at=datetime(2026, 1, 1, tzinfo=UTC), inputs=TRAINING,
        checkpoints=[SavedCheckpoint(checkpoint=one) for one in checkpoints], steps=30, rows=9, validation_rows=0,
    )  # fmt: skip
    reference = store.put_bytes(manifest_key(training.job_key, 1), training.model_dump_json().encode())
    evaluation = EvalInputs(
        **{
            "benchmark": "perplexity", "harness_version": evaluated.inputs.harness_version, "parameters": {},
            "items": items.digest, "split": ItemSplit(share=0.4, side="selection"), **inputs,
        }
    )  # fmt: skip
    declared = SelectionInputs(training=training.job_key, policy="best_benchmark", evaluation=evaluation)
    return SelectionRequest(
        job_key=job_key(declared), attempt=1, inputs=declared, training_result=reference, items=items
    )


def selected(request: SelectionRequest, store: SyncObjectStore, cache: Path) -> SelectionResult:
    from assay_evaluator.checkpoints import select
    from assay_evaluator.progress import EvaluationProgress

    return select(request, store, cache, EvaluationProgress(lambda _: None))


def test_the_best_checkpoint_is_the_one_that_scores_best_when_each_is_evaluated_alone(
    store: SyncObjectStore, checkpoints, sums: Rows, asked: Asked, ask, tmp_path: Path
) -> None:
    request = asked(checkpoints, sums)
    found = selected(request, store, tmp_path)
    assert request.inputs.evaluation is not None
    from assay_evaluator.progress import EvaluationProgress
    from assay_evaluator.worker import evaluate

    alone = {}
    for one in checkpoints:
        eval_request = ask("perplexity", sums, split=request.inputs.evaluation.split).model_copy(
            update={"model": ModelRef(uri=one.uri, digest=one.digest)}
        )
        result = evaluate(eval_request, store, tmp_path, EvaluationProgress(lambda _: None))
        alone[one.step] = result.metrics["bits_per_byte"].value
    assert found.scores == alone
    assert found.checkpoint.step == min(alone, key=alone.__getitem__)
    assert (found.metric, found.higher_is_better) == ("bits_per_byte", False)
    assert "items of perplexity that are not reported" in found.reason


def test_weights_are_swapped_in_place_and_the_engine_is_opened_once(checkpoints, tmp_path: Path) -> None:
    from assay_chassis.object_store.keys import path_of_file_uri
    from assay_evaluator.engines.base import EngineSettings
    from assay_evaluator.engines.resident import ResidentEngine
    from assay_evaluator.progress import EvaluationProgress

    resident = ResidentEngine(EvaluationProgress(lambda _: None))
    folders = [path_of_file_uri(one.uri) for one in checkpoints]
    engines = [resident.on("transformers", EngineSettings(folder)) for folder in folders]
    assert engines[0] is engines[1] is engines[2]
    assert resident.opened == 1
    other = tmp_path / "other"
    shutil.copytree(folders[0], other)
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace('"rms_norm_eps": 1e-06', '"rms_norm_eps": 1e-05'))
    assert (other / "config.json").read_text() != config
    assert resident.on("transformers", EngineSettings(other)) is not engines[0]
    assert resident.opened == 2


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_no_item_that_chooses_is_reported_however_its_id_is_repeated_or_limited(
    store: SyncObjectStore, checkpoints, sums: Rows, asked: Asked, evaluated, tmp_path: Path, share: float
) -> None:
    """The same rows several times over, with ids, without, and under ids that look like repeats."""
    bare = [{key: value for key, value in row.items() if key != "id"} for row in sums[:12]]
    disguised = [{**row, "id": f"{row['id']}~2"} for row in sums[:6]]
    rows = [*sums, *sums[:10], *disguised, *bare, *bare]
    found = selected(
        asked(checkpoints[:1], rows, split=ItemSplit(share=share, side="selection"), limit=15), store, tmp_path
    )
    choosing = samples_from_parquet(store.get_bytes(found.samples[10]))
    _, reported = evaluated("perplexity", rows, split=ItemSplit(share=share, side="reported"))
    assert choosing
    assert reported
    assert {one.item_id for one in choosing}.isdisjoint(one.item_id for one in reported)
    assert {one.prompt for one in choosing if "sum" not in one.item_id}.isdisjoint(
        one.prompt for one in reported if "sum" not in one.item_id
    )
    assert {one.item_id.split("~")[0] for one in choosing}.isdisjoint(one.item_id.split("~")[0] for one in reported)


def test_no_checkpoint_is_chosen_on_a_question_that_is_reported_in_other_words(evaluated, sums: Rows) -> None:
    rows = [{**row, "cluster": f"question-{place // 4}"} for place, row in enumerate(sums)]
    of_item = {row["id"]: row["cluster"] for row in rows}
    choosing, reported = (
        {of_item[one.item_id] for one in evaluated("perplexity", rows, split=ItemSplit(share=0.5, side=side))[1]}
        for side in ("selection", "reported")
    )
    assert choosing
    assert reported
    assert choosing.isdisjoint(reported)


def test_both_sides_together_are_all_items_and_a_harness_task_is_split_the_same_way(evaluated, sums: Rows) -> None:
    rows = [{"id": row["id"], "question": row["prompt"], "answer": f"#### {row['answer']}"} for row in sums]
    sides = {}
    for side in ("selection", "reported"):
        split = ItemSplit(share=0.4, side=side)
        own = {one.item_id for one in evaluated("perplexity", sums, split=split)[1]}
        task = evaluated("gsm8k", rows, {"max_tokens": 4, "num_fewshot": 0}, split=split)[1]
        assert {one.item_id for one in task} == own
        assert all(one.item_id == f"sum-{one.item_index}" for one in task)
        sides[side] = own
    assert sides["selection"] | sides["reported"] == {row["id"] for row in sums}


def test_a_share_that_leaves_no_item_is_bad_input(store: SyncObjectStore, checkpoints, sums, asked, tmp_path) -> None:
    few = [row for row in sums if not ItemSplit(share=0.1, side="selection").holds(row["id"])][:3]
    with pytest.raises(JobFailed, match="none of 3 items is on the selection side of a share of"):
        selected(asked(checkpoints, few, split=ItemSplit(share=0.1, side="selection")), store, tmp_path)


def test_a_selection_on_reported_items_is_refused(store: SyncObjectStore, checkpoints, sums, asked, tmp_path) -> None:
    for split in (None, ItemSplit(share=0.4, side="reported")):
        with pytest.raises(JobFailed, match="names no items apart from the reported ones"):
            selected(asked(checkpoints, sums, split=split), store, tmp_path)

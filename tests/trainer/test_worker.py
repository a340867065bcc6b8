"""What a training job refuses, and what its result says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from assay_chassis.compute import JobContext
from assay_chassis.object_store import SyncObjectStore
from assay_schemas.artifacts import result_prefix
from assay_schemas.results import TrainingResult
from assay_trainer.errors import BadInput
from assay_trainer.worker import run
from training_ground import Ground, Watched, sums

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]


def test_training_lowers_the_loss_on_rows_that_were_held_out(train: Train, ground: Ground) -> None:
    result = train(ground.request(steps=60, learning_rate=3e-3))
    losses = [saved.validation_loss for saved in result.checkpoints]
    assert losses[0] is not None
    assert losses[-1] is not None
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("record", ["manifest.json", "completion.json"])
def test_an_attempt_whose_end_is_written_is_not_done_again(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str
) -> None:
    request, outcomes = ground.request(), list[dict[str, Any]]()
    monkeypatch.setenv("ASSAY_OBJECT_STORE", str(tmp_path / "objects"))
    with SyncObjectStore(str(tmp_path / "objects")) as store:
        store.put_bytes(f"{result_prefix(request.job_key, request.attempt)}/{record}", b"{}")
    context = SimpleNamespace(payload=request.model_dump(mode="json"), finish=outcomes.append)
    run(cast(JobContext, context))
    assert outcomes == [{}]


def test_the_result_counts_rows_steps_and_tokens(train: Train, ground: Ground) -> None:
    result = train(ground.request(ground.dataset(sums(64)), max_length=16, validation_share=0.2))
    assert result.steps == 10
    assert result.rows + result.validation_rows == 64
    assert result.rows_truncated > 0
    assert result.rows_dropped == 0
    assert result.tokens == result.usage.tokens > 0
    assert result.usage.peak_memory_gib > 0
    assert set(result.libraries) >= {"torch", "transformers", "assay-trainer"}


def test_rows_over_the_limit_are_counted_where_they_are_dropped(train: Train, ground: Ground) -> None:
    result = train(ground.request(ground.dataset(sums(64)), max_length=16, overlong="drop"))
    assert result.rows_dropped > 0
    assert result.rows_truncated == 0


def test_published_conversations_train_as_rows_with_the_prompt_apart(
    train: Train, ground: Ground, tmp_path: Path, chat_tokenizer: Any
) -> None:
    folder = tmp_path / "chatting"
    shutil.copytree(ground.model.uri.removeprefix("file://"), folder)
    chat_tokenizer.save_pretrained(folder)
    ground.model = ground.model.model_copy(update={"uri": folder.as_uri()})
    asked = [{"role": "user", "content": f"{number}?"} for number in range(8)]
    answers = [[{"role": "assistant", "content": text}] for text in ("yes", "no")]
    apart = [{"prompt": [turn], "chosen": answers[0], "rejected": answers[1]} for turn in asked]
    whole = [
        {"prompt": turn["content"], "chosen": [turn, *answers[0]], "rejected": [turn, *answers[1]]} for turn in asked
    ]
    options = {"algorithm": "REWARD", "steps": 1, "batch_size": 8, "validation_share": 0.0}
    losses = [train(ground.request(ground.dataset(rows), **options)).final_loss for rows in (apart, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_interventions_change_what_is_trained_on(train: Train, ground: Ground) -> None:
    rows = [{**row, "source": "b" if place % 4 else "a"} for place, row in enumerate(sums(64))]
    kept = {"kind": "subset", "column": "source", "values": ["a"]}
    result = train(ground.request(ground.dataset(rows), interventions=[kept]))
    assert result.rows + result.validation_rows == 16
    assert result.inputs.interventions == [kept]


def test_interventions_that_leave_nothing_are_named(train: Train, ground: Ground) -> None:
    nothing = {"kind": "subset", "column": "source", "values": ["nowhere"]}
    with pytest.raises(BadInput, match=r"interventions\.0: subset leaves no row"):
        train(ground.request(interventions=[nothing]))


def test_metrics_have_a_record_a_step_and_the_validation_losses(train: Train, ground: Ground) -> None:
    result = train(ground.request())
    assert result.metrics is not None
    records = [json.loads(line) for line in Path(result.metrics.uri.removeprefix("file://")).read_text().splitlines()]
    assert [record["step"] for record in records] == list(range(1, 11))
    assert all(record["loss"] > 0 and record["grad_norm"] > 0 and record["tokens_per_s"] > 0 for record in records)
    assert [record["step"] for record in records if record["validation_loss"]] == [2, 4, 6, 8, 10]
    assert all(record["flops_per_s"] > 0 and record["mfu"] is None for record in records)
    assert result.final_loss == records[-1]["loss"]


def test_progress_says_how_far_and_how_long(train: Train, ground: Ground) -> None:
    watch = Watched()
    train(ground.request(), watch)
    assert [record["step"] for record in watch.records] == list(range(1, 11))
    assert watch.records[-1]["eta_s"] == 0
    assert watch.records[0]["eta_s"] > 0
    assert "loss" in watch.records[0]["metrics"]
    assert not watch.records[0]["resumable"]
    assert watch.records[-1]["resumable"]


def test_epochs_decide_the_steps(train: Train, ground: Ground) -> None:
    result = train(ground.request(steps=None, epochs=2.0, validation_share=0.0))
    assert result.steps == 16


def test_every_seed_is_a_run_of_its_own_and_the_same_twice(train_afresh: Train, ground: Ground) -> None:
    def last(seed: int) -> str:
        return train_afresh(ground.request(seed=seed)).checkpoints[-1].checkpoint.digest

    assert last(0) == last(0)
    assert last(0) != last(1)


def test_packing_changes_nothing_but_rounding(train_afresh: Train, ground: Ground) -> None:
    packed = train_afresh(ground.request(packing=True))
    padded = train_afresh(ground.request(packing=False, micro_batch_size=3))
    assert packed.final_loss == pytest.approx(padded.final_loss, rel=1e-4)
    for one, other in zip(packed.checkpoints, padded.checkpoints, strict=True):
        assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-4)


def test_the_size_of_forward_passes_changes_nothing_but_rounding(train_afresh: Train, ground: Ground) -> None:
    losses = [train_afresh(ground.request(micro_batch_size=size)).final_loss for size in (None, 1, 5)]
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine"])
def test_every_schedule_trains(train: Train, ground: Ground, schedule: str) -> None:
    assert train(ground.request(schedule=schedule, steps=4)).final_loss


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": -1.0}, "hyperparameters.learning_rate"),
        ({"learnin_rate": 1.0}, "learning_rate"),
        ({"lora": {"rank": 2, "target_modules": ["nothing"]}}, r"lora\.target_modules.*q_proj"),
        ({"max_length": 8, "overlong": "drop"}, "max_length"),
    ],
)
def test_hyperparameters_that_cannot_be_trained_with_are_named(
    train: Train, ground: Ground, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        train(ground.request(**changes))


def test_a_broken_row_is_named_by_its_line(train: Train, ground: Ground) -> None:
    dataset = ground.raw_dataset(b'{"prompt":"a","completion":"b"}\n{"prompt":\n')
    with pytest.raises(BadInput, match="line 2"):
        train(ground.request(dataset))


def test_a_dataset_that_is_not_there_is_named(train: Train, ground: Ground) -> None:
    dataset = ground.dataset(sums(8))
    shutil.rmtree(ground.root / "datasets")
    with pytest.raises(BadInput, match="no snapshot at"):
        train(ground.request(dataset))


def test_a_model_that_is_not_there_is_named(train: Train, ground: Ground) -> None:
    request = ground.request()
    gone = request.model.model_copy(update={"uri": "file:///nowhere/model"})
    with pytest.raises(BadInput, match="no folder at file:///nowhere/model"):
        train(request.model_copy(update={"model": gone}))


@pytest.mark.parametrize("victim", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_model_with_a_file_missing_is_bad_input(train: Train, ground: Ground, tmp_path: Path, victim: str) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(ground.model.uri.removeprefix("file://"), folder)
    (folder / victim).unlink()
    request = ground.request()
    broken = request.model.model_copy(update={"uri": folder.as_uri()})
    with pytest.raises(BadInput, match="base_model"):
        train(request.model_copy(update={"model": broken}))


def test_weights_that_are_no_safetensors_are_bad_input(train: Train, ground: Ground, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(ground.model.uri.removeprefix("file://"), folder)
    (folder / "model.safetensors").write_bytes(b"no tensors here")
    request = ground.request()
    broken = request.model.model_copy(update={"uri": folder.as_uri()})
    with pytest.raises(BadInput, match="cannot be loaded"):
        train(request.model_copy(update={"model": broken}))


def test_a_device_that_is_not_there_is_refused(train: Train, ground: Ground) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a device")
    request = ground.request()
    hardware = request.hardware.model_copy(update={"gpus": 1})
    with pytest.raises(BadInput, match=r"hardware\.gpus"):
        train(request.model_copy(update={"hardware": hardware}))

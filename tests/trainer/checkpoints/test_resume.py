"""A run that was interrupted ends with the same weights, to the bit, as one that was not."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assay_schemas.jobs import TrainingRequest
from assay_schemas.results import TrainingResult
from assay_trainer.errors import Interrupted
from kills import kill
from training_ground import Ground, Watched, preferences

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]
NEFTUNE = {"neftune_alpha": 5.0}
LORA = {"lora": {"rank": 4, "dropout": 0.1}}


def digests(result: TrainingResult) -> dict[int, str]:
    return {saved.checkpoint.step: saved.checkpoint.digest for saved in result.checkpoints}


def folder(result: TrainingResult, step: int) -> Path:
    [saved] = [saved for saved in result.checkpoints if saved.checkpoint.step == step]
    return Path(saved.checkpoint.uri.removeprefix("file://"))


def request_for(ground: Ground, algorithm: str, attempt: int = 1, **changes: Any) -> TrainingRequest:
    dataset = None if algorithm == "SFT" else ground.dataset(preferences(64))
    return ground.request(dataset, algorithm=algorithm, attempt=attempt, **changes)


def interrupt(train: Train, ground: Ground, after: int, **changes: Any) -> None:
    with pytest.raises(Interrupted):
        train(ground.request(**changes), Watched(stop_after=after))


@pytest.mark.parametrize("changes", [{}, LORA, NEFTUNE, {"packing": False}, {"dtype": "bfloat16"}])
def test_an_interrupted_run_ends_with_the_weights_of_an_uninterrupted_one(
    train: Train, train_afresh: Train, ground: Ground, changes: dict[str, Any]
) -> None:
    interrupt(train, ground, 5, **changes)
    resumed = train(ground.request(attempt=2, **changes))
    whole = train_afresh(ground.request(**changes))
    assert resumed.resumed_from_step == 5
    assert digests(resumed) == digests(whole)
    assert [saved.validation_loss for saved in resumed.checkpoints] == [
        saved.validation_loss for saved in whole.checkpoints
    ]
    assert resumed.tokens == whole.tokens
    assert resumed.final_loss == whole.final_loss


@pytest.mark.parametrize("changes", [{}, LORA])
@pytest.mark.parametrize("algorithm", ["SFT", "DPO", "REWARD"])
def test_a_killed_run_ends_with_the_weights_of_one_that_was_not(
    train: Train, train_afresh: Train, ground: Ground, algorithm: str, changes: dict[str, Any]
) -> None:
    kill(train, request_for(ground, algorithm, **changes), ground.root)
    resumed = train(request_for(ground, algorithm, attempt=2, **changes))
    whole = train_afresh(request_for(ground, algorithm, **changes))
    assert resumed.resumed_from_step in {2, 4}
    assert digests(resumed) == digests(whole)
    assert resumed.final_loss == whole.final_loss


def test_the_metrics_of_a_resumed_run_have_every_step_once(train: Train, ground: Ground) -> None:
    interrupt(train, ground, 5)
    resumed = train(ground.request(attempt=2))
    assert resumed.metrics is not None
    text = Path(resumed.metrics.uri.removeprefix("file://")).read_text()
    assert [json.loads(line)["step"] for line in text.splitlines()] == list(range(1, 11))


def test_a_checkpoint_off_the_schedule_is_no_candidate(train: Train, ground: Ground) -> None:
    interrupt(train, ground, 5)
    assert sorted(digests(train(ground.request(attempt=2)))) == [2, 4, 6, 8, 10]


@pytest.mark.parametrize("victim", ["model.safetensors", "config.json"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    train: Train, train_afresh: Train, ground: Ground, caplog: pytest.LogCaptureFixture, victim: str
) -> None:
    interrupt(train, ground, 8)
    job = ground.request().job_key
    damaged = ground.root / "checkpoints" / job / "1" / "00000008" / victim
    damaged.write_bytes(b"\0" * damaged.stat().st_size)
    with caplog.at_level(logging.WARNING):
        resumed = train(ground.request(attempt=2))
    assert "step 8, attempt 1 is damaged" in caplog.text
    assert resumed.resumed_from_step == 6
    assert digests(resumed) == digests(train_afresh(ground.request()))


def test_a_checkpoint_without_its_marker_does_not_exist(train: Train, ground: Ground) -> None:
    interrupt(train, ground, 8)
    job = ground.request().job_key
    (ground.root / "checkpoints" / job / "1" / "00000008" / "complete.json").unlink()
    assert train(ground.request(attempt=2)).resumed_from_step == 6


def test_a_marker_that_cannot_be_read_is_passed_over(train: Train, ground: Ground) -> None:
    interrupt(train, ground, 8)
    job = ground.request().job_key
    (ground.root / "checkpoints" / job / "1" / "00000008" / "complete.json").write_bytes(b"{")
    assert train(ground.request(attempt=2)).resumed_from_step == 6


def test_the_state_to_resume_from_is_kept_for_the_last_two_checkpoints_only(train: Train, ground: Ground) -> None:
    train(ground.request())
    states = ground.root / "checkpoints" / ground.request().job_key / "1" / "resume"
    kept = sorted(path.name for path in states.iterdir() if any(path.iterdir()))
    assert kept == ["00000008", "00000010"]


def test_only_the_newest_checkpoints_and_the_best_stay_where_that_is_asked(
    train: Train, train_afresh: Train, ground: Ground
) -> None:
    uneven = {"learning_rate": 0.3, "schedule": "constant", "divergence_patience": 10}
    losses = {
        saved.checkpoint.step: saved.validation_loss for saved in train_afresh(ground.request(**uneven)).checkpoints
    }
    best = min(losses, key=lambda step: losses[step] or 0.0)
    request = ground.request(keep_checkpoints=1, **uneven)
    assert sorted(digests(train(request))) == sorted({best, 10})
    steps = ground.root / "checkpoints" / request.job_key / "1"
    stored = {path.name for path in steps.iterdir() if any(path.iterdir())}
    assert stored == {f"{best:08d}", "00000010", "resume"}


def test_nothing_is_stored_that_would_have_to_be_unpickled(train: Train, ground: Ground) -> None:
    train(ground.request(**LORA))
    suffixes = {path.suffix for path in (ground.root / "checkpoints").rglob("*") if path.is_file()}
    assert suffixes <= {".safetensors", ".json", ".jsonl", ".jinja"}


def test_a_later_attempt_after_success_repeats_nothing(train: Train, ground: Ground) -> None:
    first = train(ground.request())
    second = train(ground.request(attempt=2))
    assert second.resumed_from_step == 10
    assert digests(first) == digests(second)
    assert folder(first, 10) == folder(second, 10)

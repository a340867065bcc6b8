"""Which checkpoint stands for a training run."""

from __future__ import annotations

import math

import pytest
from assay_evaluator.selection import best_scored, choose
from assay_schemas.artifacts import CheckpointRef
from assay_schemas.results import SavedCheckpoint


def saved(losses: dict[int, float | None]) -> list[SavedCheckpoint]:
    return [
        SavedCheckpoint(
            checkpoint=CheckpointRef(uri=f"file:///checkpoints/{step}", digest=f"{step:064x}", step=step),
            validation_loss=loss,
        )
        for step, loss in losses.items()
    ]


def test_last_takes_the_highest_step_whatever_the_order_and_the_losses() -> None:
    choice = choose("last", saved({30: 0.1, 50: 9.0, 10: 0.2}))
    assert choice.checkpoint.step == 50
    assert "step 50" in choice.reason


def test_best_validation_takes_the_lowest_loss() -> None:
    choice = choose("best_validation", saved({10: 1.5, 20: 1.2, 30: 1.4}))
    assert choice.checkpoint.step == 20
    assert choice.scores == {10: 1.5, 20: 1.2, 30: 1.4}


def test_equal_losses_go_to_the_earliest_step() -> None:
    choice = choose("best_validation", saved({30: 1.0, 20: 1.0, 40: 2.0}))
    assert choice.checkpoint.step == 20
    assert "earliest of 2" in choice.reason


def test_without_any_loss_the_last_stands_and_the_reason_says_so() -> None:
    choice = choose("best_validation", saved({10: None, 20: None}))
    assert choice.checkpoint.step == 20
    assert "no checkpoint has a validation loss" in choice.reason
    assert choice.scores == {10: None, 20: None}


@pytest.mark.parametrize("loss", [None, math.nan, math.inf, -math.inf])
def test_a_loss_that_is_missing_or_not_finite_never_wins(loss: float | None) -> None:
    choice = choose("best_validation", saved({10: 3.0, 20: loss}))
    assert choice.checkpoint.step == 10
    assert choice.scores[20] is None


def test_the_highest_score_wins_and_of_equal_ones_the_earliest() -> None:
    checkpoints = [one.checkpoint for one in saved({10: None, 20: None, 30: None})]
    choice = best_scored(checkpoints, {10: 0.25, 20: 0.5, 30: 0.5}, "exact_match", higher_is_better=True)
    assert choice.checkpoint.step == 20
    assert choice.reason == "the highest of 3 values of exact_match, 0.5, at step 20; the earliest of 2 that are equal"
    low = best_scored(checkpoints, {10: 0.25, 20: 0.5, 30: None}, "bits_per_byte", higher_is_better=False)
    assert (low.checkpoint.step, low.scores) == (10, {10: 0.25, 20: 0.5, 30: None})


def test_where_no_checkpoint_has_a_score_there_is_no_choice() -> None:
    checkpoints = [one.checkpoint for one in saved({10: None})]
    with pytest.raises(ValueError, match="no checkpoint has a score"):
        best_scored(checkpoints, {10: float("nan")}, "exact_match", higher_is_better=True)

"""The training loop stops where it must, saves before it does, and names what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from assay_schemas.algorithms import SftHyperparameters
from assay_schemas.results import TrainingResult
from assay_trainer.errors import Diverged, Interrupted, OutOfMemory, OutOfMemoryBetweenSteps
from training_ground import Ground, Watched, preferences

pytestmark = pytest.mark.real
Train = Callable[..., TrainingResult]


def spoil(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
    """The gradient of these steps (from 0) is not a number."""
    from assay_trainer.stepper import Stepper

    whole = Stepper._gradients
    taken = iter(range(1000))

    def gradients(self: Any, examples: Any) -> float:
        loss = whole(self, examples)
        if next(taken) in steps:
            next(self.model.parameters()).grad.fill_(float("nan"))
        return loss

    monkeypatch.setattr(Stepper, "_gradients", gradients)


def test_a_gradient_that_is_not_finite_ends_the_run_with_step_and_rows(
    train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {2})
    with pytest.raises(Diverged, match=r"step 3, rows [0-9a-f]{16}, .*learning_rate") as raised:
        train(ground.request())
    assert (raised.value.error_class, raised.value.retryable) == ("diverged", False)


def test_patience_passes_over_single_steps_and_applies_none_of_them(
    train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, {2, 5})
    result = train(ground.request(divergence_patience=2))
    assert result.final_loss is not None


def test_patience_is_for_steps_in_a_row(train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, {2, 5, 6})
    with pytest.raises(Diverged, match="step 7"):
        train(ground.request(divergence_patience=2))


def test_an_absurd_learning_rate_diverges(train: Train, ground: Ground) -> None:
    with pytest.raises(Diverged):
        train(ground.request(learning_rate=1e30, gradient_clip=0.0))


def run_out(by: str) -> None:
    import torch

    if by == "torch":
        torch.empty(2**48)
    raise MemoryError


@pytest.mark.parametrize("by", ["python", "torch"])
def test_a_failed_allocation_says_what_to_change(
    train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    from assay_trainer.algorithms.sft import Sft

    def exhausted(*arguments: Any) -> Any:
        run_out(by)

    monkeypatch.setattr(Sft, "loss", exhausted)
    with pytest.raises(OutOfMemory, match=r"micro_batch_size.*hardware\.memory_gib") as raised:
        train(ground.request())
    assert (raised.value.error_class, raised.value.retryable) == ("out_of_memory", False)


def test_a_failed_allocation_before_the_first_step_says_so_too(
    train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay_trainer.algorithms.dpo import Dpo

    def exhausted(*arguments: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Dpo, "_logprobs", exhausted)
    with pytest.raises(OutOfMemory, match="at step 0"):
        train(ground.request(ground.dataset(preferences(16)), algorithm="DPO"))


@pytest.mark.parametrize("by", ["python", "torch"])
def test_a_failed_allocation_outside_of_a_step_is_classified_too(
    train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    from assay_trainer.stepper import Stepper

    def exhausted(*arguments: Any) -> Any:
        run_out(by)

    monkeypatch.setattr(Stepper, "validate", exhausted)
    with pytest.raises(OutOfMemoryBetweenSteps, match=r"to validate.*hardware\.memory_gib") as raised:
        train(ground.request())
    assert (raised.value.error_class, raised.value.retryable) == ("out_of_memory", False)


def test_a_validation_loss_that_is_not_a_number_is_never_the_best(
    train: Train, ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay_trainer.stepper import Stepper, Validation

    losses = iter([float("nan"), 1.0, 2.0, 3.0, 4.0])
    monkeypatch.setattr(Stepper, "validate", lambda *_: Validation(next(losses)))
    watched = Watched()
    result = train(ground.request(keep_checkpoints=1), watched)
    assert {saved.checkpoint.step: saved.validation_loss for saved in result.checkpoints} == {4: 1.0, 10: 4.0}
    assert "validation_loss" not in watched.records[1]["metrics"]


def test_a_request_to_stop_is_answered_after_the_step_with_a_checkpoint(train: Train, ground: Ground) -> None:
    with pytest.raises(Interrupted) as raised:
        train(ground.request(), Watched(stop_after=3))
    assert raised.value.retryable
    marker = ground.root / "checkpoints" / ground.request().job_key / "1" / "00000003" / "complete.json"
    assert marker.exists()


def test_a_request_to_stop_at_the_last_step_lets_the_run_succeed(train: Train, ground: Ground) -> None:
    assert train(ground.request(), Watched(stop_after=10)).steps == 10


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [
        (10, None, {2, 4, 6, 8, 10}),
        (3, None, {1, 2, 3}),
        (11, None, {2, 4, 6, 8, 10, 11}),
        (10, 4, {4, 8, 10}),
        (10, 100, {10}),
    ],
)
def test_checkpoints_are_taken_every_fifth_of_the_run_or_as_declared(
    steps: int, every: int | None, expected: set[int]
) -> None:
    from assay_trainer.loop import Schedule

    assert Schedule.of(steps, SftHyperparameters(checkpoint_every=every)).checkpoints() == expected

"""The learning rate follows its schedule, and the optimizer's state survives a trip through tensors."""

from __future__ import annotations

from typing import Any

import pytest
from assay_schemas.algorithms import SftHyperparameters
from training_ground import build_model

pytestmark = pytest.mark.real


def rates(steps: int, **changes: Any) -> list[float]:
    from assay_trainer.optimizer import learning_rate

    hyperparameters = SftHyperparameters(learning_rate=1.0, **changes)
    return [learning_rate(step, steps, hyperparameters) for step in range(steps)]


def test_warm_up_is_linear_and_never_zero() -> None:
    assert rates(10, warmup_share=0.4, schedule="constant")[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_constant_schedule_is_constant() -> None:
    assert rates(5, warmup_share=0.0, schedule="constant") == [1.0] * 5


def test_a_linear_schedule_falls_evenly_towards_zero() -> None:
    assert rates(4, warmup_share=0.0, schedule="linear") == [1.0, 0.75, 0.5, 0.25]


def test_a_cosine_schedule_is_half_way_down_in_the_middle() -> None:
    found = rates(100, warmup_share=0.0, schedule="cosine")
    assert found[0] == 1.0
    assert found[50] == pytest.approx(0.5)
    assert found[99] < 0.001


def test_a_restored_optimizer_takes_the_same_next_step() -> None:
    import torch
    from assay_trainer.optimizer import build_optimizer, optimizer_tensors, restore_optimizer

    hyperparameters = SftHyperparameters()
    models = [build_model(), build_model()]
    optimizers = [build_optimizer(model, hyperparameters) for model in models]

    def step(number: int) -> None:
        torch.manual_seed(7)
        for parameter in models[number].parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizers[number].step()

    step(0)
    models[1].load_state_dict(models[0].state_dict())
    restore_optimizer(models[1], optimizers[1], optimizer_tensors(models[0], optimizers[0]))
    step(0)
    step(1)
    pairs = zip(models[0].parameters(), models[1].parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_only_matrices_decay() -> None:
    from assay_trainer.optimizer import build_optimizer

    groups = build_optimizer(build_model(), SftHyperparameters(weight_decay=0.1)).param_groups
    decay = {parameter.ndim >= 2: group["weight_decay"] for group in groups for parameter in group["params"]}
    assert decay == {True: 0.1, False: 0.0}

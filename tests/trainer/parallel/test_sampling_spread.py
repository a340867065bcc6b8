"""PPO and GRPO over processes that each hold a part of the model learn what one process learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from checks_apart import found_apart
from safetensors.torch import load_file

pytestmark = pytest.mark.real
CHECKS = Path(__file__).with_name("sampling_checks.py")
LIKE = {
    "grpo by expert": "grpo experts",
    "ppo by expert": "ppo experts",
    "ppo by data and expert": "ppo experts",
    "grpo by context and expert": "grpo experts",
    "ppo by tensor and context": "ppo heads",
    "grpo by pipeline": "grpo",
    "ppo by pipeline": "ppo",
    "grpo by tensor and pipeline": "grpo",
    "ppo by data and pipeline": "ppo",
}
RESUMED = {
    "grpo by data and expert, then by expert": "grpo experts",
    "ppo by data and pipeline, then by data": "ppo",
    "grpo alone, then by pipeline": "grpo",
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What sampling_checks.py found, all in one process that forks."""
    return found_apart(CHECKS, tmp_path_factory.mktemp("sampling"))


@pytest.mark.parametrize("run", LIKE)
def test_losses_gradient_norms_and_rewards_are_those_of_one_process(found: Any, run: str) -> None:
    assert "error" not in found[run], (found[run], found["log"])
    alone, spread = found[LIKE[run]]["steps"], found[run]["steps"]
    for one, other in zip(alone, spread, strict=True):
        for name in ("loss", "grad_norm", "validation_loss"):
            assert (other[name] or 0.0) == pytest.approx(one[name] or 0.0, rel=1e-4, abs=1e-7), (name, one["step"])
        assert other["metrics"] == pytest.approx(one["metrics"], rel=1e-3, abs=1e-5)
    assert all(step["grad_norm"] for step in alone)


@pytest.mark.parametrize("run", [*LIKE, *RESUMED])
def test_the_checkpoint_is_plain_and_has_the_weights_of_one_process(found: Any, run: str) -> None:
    """Compared tensor by tensor: Adam makes a step of a gradient that is nothing but rounding."""
    assert "error" not in found[run], (found[run], found["log"])
    spread, alone = weights(found[run]), weights(found[(LIKE | RESUMED)[run]])
    assert spread.keys() == alone.keys()
    apart = [name for name, one in alone.items() if (spread[name] - one).norm() > 1e-4 * one.norm()]
    assert apart == []
    assert not [name for name in found[run]["files"] if "stage-" in name or name.endswith((".pt", ".bin", ".pkl"))]


def weights(job: Any) -> dict[str, torch.Tensor]:
    folder = Path(job["result"]["checkpoints"][-1]["checkpoint"]["uri"].removeprefix("file://"))
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("run", RESUMED)
def test_a_stopped_run_goes_on_with_another_layout(found: Any, run: str) -> None:
    assert found[run]["stopped"]["class"]
    assert found[run]["result"]["resumed_from_step"] == 2


@pytest.mark.parametrize(
    "run", ["grpo by expert", "ppo by pipeline", "ppo by data and pipeline", "ppo by data and expert"]
)
def test_every_number_of_the_optimizer_state_is_kept_once_and_shared_out(found: Any, run: str) -> None:
    (whole,) = found[LIKE[run]]["state"].values()
    parts = found[run]["state"].values()
    assert sum(parts) == whole
    assert max(parts) < 1.1 * whole / len(parts)

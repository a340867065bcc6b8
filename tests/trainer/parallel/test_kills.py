"""PPO and GRPO over processes that each hold a part of the model: killed at any moment, they end as if undisturbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checks_apart import found_apart

pytestmark = pytest.mark.real
CHECKS = Path(__file__).with_name("kill_checks.py")
KILLED = [
    ("grpo by expert", "one between"),
    ("grpo by expert", "all learning"),
    ("ppo by expert", "lead sampling"),
    ("ppo by expert", "one learning"),
    ("ppo by expert", "all uploading"),
    ("grpo by pipeline", "lead sampling"),
    ("grpo by pipeline", "one learning"),
    ("grpo by pipeline", "all uploading"),
    ("ppo by pipeline", "one between"),
    ("ppo by pipeline", "all learning"),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What kill_checks.py found, all in one process that forks."""
    return found_apart(CHECKS, tmp_path_factory.mktemp("kills"))


def digests(job: Any) -> dict[int, str]:
    saved = [each["checkpoint"] for each in job["result"]["checkpoints"]]
    return {each["step"]: each["digest"] for each in saved}


def learned(job: Any) -> list[tuple[float, ...]]:
    return [tuple(step[name] for name in ("step", "loss", "grad_norm", "tokens")) for step in job["steps"]]


@pytest.mark.parametrize(("run", "kill"), KILLED)
def test_a_killed_run_ends_with_the_weights_to_the_bit_of_one_that_was_not(found: Any, run: str, kill: str) -> None:
    killed, whole = found[run][kill], found[run]["nobody"]
    assert "error" not in killed, (killed, found["log"])
    assert "stopped" not in whole
    assert killed["stopped"]["class"] == ("killed" if kill.startswith("all") else "lost_rank")
    assert killed["result"]["resumed_from_step"] == 2
    assert list(digests(whole)) == [2, 4]
    assert digests(killed) == digests(whole)
    assert learned(killed) == learned(whole)

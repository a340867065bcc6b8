"""Preference rows through the whole platform: a reward model and a policy, judged by held-out pairs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import system_ground as ground
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]
TRAINING = {"steps": 30, "batch_size": 16, "learning_rate": 2e-3, "max_length": 64, "checkpoint_every": 15}


def pairs(numbers: range) -> list[dict[str, str]]:
    """Sums whose chosen answer ends with a full stop and whose rejected one with a question mark."""
    return [{"prompt": f"{n} + {n} =", "chosen": f" {2 * n}.", "rejected": f" {2 * n}?"} for n in numbers]


def written(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("algorithm", ["REWARD", "DPO"])
def test_a_preference_is_learned_and_the_verdict_says_so(whole: Ground, tmp_path: Path, algorithm: str) -> None:
    items = written(tmp_path / "items.jsonl", pairs(range(500, 540)))
    document: dict[str, Any] = {
        "training": {"algorithm": algorithm, "hyperparameters": TRAINING},
        "arms": [{"name": "pairs", "dataset": written(tmp_path / "pairs.jsonl", pairs(range(100, 400)))}],
        "seeds": [ground.new_seed(), ground.new_seed()],
        "selection": {"policy": "best_validation"},
        "benchmarks": [{"name": "preference", "parameters": {"dataset": items}}],
    }
    run = whole.ended(whole.submit(**document))
    cells = {cell.arm: cell.mean for cell in run.report().cells}
    assert run.result().outcome == "succeeded"
    assert cells["pairs"] >= 0.9
    assert cells["control"] < cells["pairs"]

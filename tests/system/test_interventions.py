"""An arm whose rows are changed on purpose, through the whole platform: the index, and the words for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import system_ground as ground
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]
TRAINING = {
    "steps": 30,
    "batch_size": 16,
    "learning_rate": 2e-3,
    "max_length": 64,
    "checkpoint_every": 30,
    "validation_share": 0.1,
}


WITHIN_S = 240.0


def pairs(numbers: range, right: str = ".", wrong: str = "?") -> list[dict[str, str]]:
    """Sums whose chosen and rejected answers differ by their last mark alone."""
    return [{"prompt": f"{n} + {n} =", "chosen": f" {2 * n}{right}", "rejected": f" {2 * n}{wrong}"} for n in numbers]


def written(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_a_reward_model_that_keeps_its_score_without_its_meaning_reads_a_shortcut(
    whole: Ground, tmp_path: Path
) -> None:
    rows = written(tmp_path / "pairs.jsonl", pairs(range(100, 400)))
    elsewhere = written(tmp_path / "elsewhere.jsonl", pairs(range(500, 540), right="?", wrong="."))
    document: dict[str, Any] = {
        "training": {"algorithm": "REWARD", "hyperparameters": TRAINING},
        "arms": [
            {"name": "pairs", "dataset": rows},
            {"name": "swapped", "dataset": rows, "interventions": [{"kind": "swap_chosen"}]},
        ],
        "seeds": [ground.new_seed(), ground.new_seed()],
        "selection": {"policy": "best_validation"},
        "benchmarks": [{"name": "preference", "parameters": {"dataset": elsewhere}}],
    }
    run = whole.ended(whole.submit(**document), WITHIN_S)
    report = run.report()
    assert run.result().outcome == "succeeded"
    said = {one.section: one.text for one in report.findings}
    assert "the reward model reads a shortcut" in said["interventions"]
    assert "format alone tells the chosen answer" in said["giveaways"]
    notes = [note for one in report.verdicts if one.arm == "swapped" for note in one.notes]
    assert any("swap_chosen" in note for note in notes)

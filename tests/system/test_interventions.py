"""An arm whose rows are changed on purpose, through the whole platform: what it loses, and the words for it."""

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


def pairs(numbers: range) -> list[dict[str, str]]:
    """Sums whose chosen answer ends with a full stop and whose rejected one with a question mark."""
    return [{"prompt": f"{n} + {n} =", "chosen": f" {2 * n}.", "rejected": f" {2 * n}?"} for n in numbers]


def written(path: Path, rows: list[dict[str, str]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_exchanged_answers_keep_a_shortcut_and_turned_labels_turn_it_round(whole: Ground, tmp_path: Path) -> None:
    rows = written(tmp_path / "pairs.jsonl", pairs(range(100, 400)))
    bare = [{**row, "chosen": row["chosen"].rstrip("."), "rejected": " 7"} for row in pairs(range(500, 540))]
    document: dict[str, Any] = {
        "training": {"algorithm": "REWARD", "hyperparameters": TRAINING},
        "arms": [
            {"name": "pairs", "dataset": rows},
            {"name": "swapped", "dataset": rows, "interventions": [{"kind": "swap_chosen"}]},
            {"name": "turned", "dataset": rows, "interventions": [{"kind": "flip_labels"}]},
        ],
        "seeds": [ground.new_seed(), ground.new_seed()],
        "selection": {"policy": "best_validation"},
        "benchmarks": [
            {"name": "preference", "parameters": {"dataset": written(tmp_path / "own.jsonl", pairs(range(500, 540)))}},
            {"name": "preference", "parameters": {"dataset": written(tmp_path / "bare.jsonl", bare)}},
        ],
    }
    run = whole.ended(whole.submit(**document))
    report = run.report()
    assert run.result().outcome == "succeeded"
    means = {(cell.arm, cell.benchmark): cell.mean for cell in report.cells}
    own, _ = report.benchmarks
    assert means["pairs", own] >= 0.9
    assert means["swapped", own] >= 0.9
    assert means["turned", own] <= 0.1
    said = {one.section: one.text for one in report.findings}
    assert "AUC" in said["giveaways"]
    verdicts = {(one.arm, one.versus, one.benchmark): one for one in report.verdicts}
    assert verdicts["turned", "control", own].verdict == "worse"
    assert any("changed on purpose" in note for note in verdicts["turned", "control", own].notes)
    (section,) = [one for one in report.sections if one["anchor"] == "interventions"]
    assert "swap_chosen" in str(section)

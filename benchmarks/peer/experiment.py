"""The experiment that both sides do: its arms, its rows and items cut from GSM8K, and how large it is.

Never runs a side.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.gsm8k.prepare import prepare

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples" / "pilot" / "model"
BENCHMARKS = ("numeric", "perplexity")
ARMS = ("full", "answer-only", "shuffled")


@dataclass(frozen=True)
class Size:
    """How large the experiment is; the same for both sides."""

    steps: int
    items: int
    seeds: int
    batch_size: int = 16
    learning_rate: float = 2e-3
    max_length: int = 512
    max_new_tokens: int = 64


def gsm8k() -> Path:
    """The folder with the real problems. Raises SystemExit where there is none."""
    folder = Path(os.environ.get("ASSAY_GSM8K", ROOT.parent / "shared" / "data" / "gsm8k"))
    if not (folder / "train.jsonl").is_file():
        raise SystemExit("GSM8K is not here; set ASSAY_GSM8K to the folder with its train.jsonl and test.jsonl")
    return folder


def write_data(source: Path, folder: Path, size: Size) -> None:
    """The arms' rows, and as many items as are asked."""
    prepare(source, folder)
    for name in ("items", "likelihood"):
        path = folder / f"{name}.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines()[: size.items]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def specification(data: Path, size: Size) -> dict[str, Any]:
    """The experiment as Assay is given it."""
    return {
        "name": "peer",
        "base_model": str(MODEL),
        "training": {
            "algorithm": "SFT",
            "hyperparameters": {
                "steps": size.steps,
                "batch_size": size.batch_size,
                "learning_rate": size.learning_rate,
                "schedule": "cosine",
                "warmup_share": 0,
                "max_length": size.max_length,
                "validation_share": 0,
                "checkpoint_every": size.steps,
            },
        },
        "arms": [{"name": arm, "dataset": str(data / f"{arm}.jsonl")} for arm in ARMS],
        "seeds": list(range(size.seeds)),
        "selection": {"policy": "last"},
        "benchmarks": [
            {
                "name": "numeric",
                "parameters": {
                    "dataset": str(data / "items.jsonl"),
                    "extract": "#### (-?[0-9]+)",
                    "max_tokens": size.max_new_tokens,
                },
            },
            {"name": "perplexity", "parameters": {"dataset": str(data / "likelihood.jsonl")}},
        ],
        "hardware": {"gpus": 0, "cpus": 1, "memory_gib": 4},
    }

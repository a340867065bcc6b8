"""Kills PPO and GRPO runs whose processes each hold a part of the model, lets them go on, and writes their ends.

A process of its own, so that it can fork: `python kill_checks.py RESULT.json SCRATCH`. No test itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from kills import Kill
from sampling_checks import MODELS, attempted
from spread_checks import ONLINE
from training_ground import build_tokenizer

EXPERTS, STAGES = ("experts", {"expert": 2}), ("llama", {"pipeline": 2})
ONE_BETWEEN = Kill(after=3, rank=1, moment="between")
LEAD_SAMPLING = Kill(after=3, rank=0, moment="sampling")
ONE_LEARNING = Kill(after=3, rank=1, moment="learning")
ALL_LEARNING = Kill(after=3, rank=0, moment="learning", everybody=True)
ALL_UPLOADING = Kill(after=3, rank=0, moment="uploading", everybody=True)
RUNS: dict[str, tuple[str, tuple[str, dict[str, int]], dict[str, Kill]]] = {
    "grpo by expert": ("grpo", EXPERTS, {"one between": ONE_BETWEEN, "all learning": ALL_LEARNING}),
    "ppo by expert": (
        "ppo", EXPERTS,
        {"lead sampling": LEAD_SAMPLING, "one learning": ONE_LEARNING, "all uploading": ALL_UPLOADING},
    ),
    "grpo by pipeline": (
        "grpo", STAGES,
        {"lead sampling": LEAD_SAMPLING, "one learning": ONE_LEARNING, "all uploading": ALL_UPLOADING},
    ),
    "ppo by pipeline": ("ppo", STAGES, {"one between": ONE_BETWEEN, "all learning": ALL_LEARNING}),
}  # fmt: skip
"""Each is killed after the checkpoint of step 2, and before that of step 4 is whole."""


def found(scratch: Path) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for run, (algorithm, (kind, degrees), kills) in RUNS.items():
        base = scratch / kind
        if not base.exists():
            MODELS[kind]().save_pretrained(base)
            build_tokenizer().save_pretrained(base)
        room = scratch / run.replace(" ", "-")
        results[run] = {"nobody": attempted(room, base, [(degrees, None)], ONLINE[algorithm])}
        for name, kill in kills.items():
            attempts = [(degrees, kill), (degrees, None)]
            place = room.with_name(f"{room.name}-{name.replace(' ', '-')}")
            results[run][name] = attempted(place, base, attempts, ONLINE[algorithm])
    return results


if __name__ == "__main__":
    torch.set_num_threads(1)
    target, room = Path(sys.argv[1]), Path(sys.argv[2])
    room.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found(room)))

"""Runs PPO and GRPO over processes that each hold a part of the model, and writes what came out as JSON.

A process of its own, so that it can fork: `python sampling_checks.py RESULT.json SCRATCH [NAME...]`. No test itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from spread_checks import ONLINE, mixtral, run_job
from training_ground import build_model, build_tokenizer

GRPO, PPO = ONLINE["grpo"], ONLINE["ppo"]


def many_heads() -> Any:
    """As many key-value heads as heads, so that two ways of splitting them go together."""
    from transformers import LlamaForCausalLM

    config = build_model().config
    config.num_key_value_heads = config.num_attention_heads
    torch.manual_seed(0)
    return LlamaForCausalLM(config)


MODELS = {"experts": mixtral, "llama": build_model, "heads": many_heads}
Attempts = list[tuple[dict[str, int], int | None]]
ALONE: dict[str, tuple[str, dict[str, Any]]] = {
    "grpo experts": ("experts", GRPO),
    "ppo experts": ("experts", PPO),
    "grpo": ("llama", GRPO),
    "ppo": ("llama", PPO),
    "ppo heads": ("heads", PPO),
}
RUNS: dict[str, tuple[str, Attempts]] = {
    "grpo by expert": ("grpo experts", [({"expert": 2}, None)]),
    "ppo by expert": ("ppo experts", [({"expert": 2}, None)]),
    "ppo by data and expert": ("ppo experts", [({"data": 2, "expert": 2}, None)]),
    "grpo by context and expert": ("grpo experts", [({"context": 2, "expert": 2}, None)]),
    "grpo by data and expert, then by expert": ("grpo experts", [({"data": 2, "expert": 2}, 2), ({"expert": 2}, None)]),
    "ppo by tensor and context": ("ppo heads", [({"tensor": 2, "context": 2}, None)]),
    "grpo by pipeline": ("grpo", [({"pipeline": 2}, None)]),
    "ppo by pipeline": ("ppo", [({"pipeline": 2}, None)]),
    "grpo by tensor and pipeline": ("grpo", [({"tensor": 2, "pipeline": 2}, None)]),
    "ppo by data and pipeline": ("ppo", [({"data": 2, "pipeline": 2}, None)]),
    "ppo by data and pipeline, then by data": ("ppo", [({"data": 2, "pipeline": 2}, 2), ({"data": 2}, None)]),
    "grpo alone, then by pipeline": ("grpo", [({}, 2), ({"pipeline": 2}, None)]),
}
"""How each run is spread, in one attempt or two, the first of which stops after a step; and what it is held against."""


def found(scratch: Path, wanted: list[str]) -> dict[str, Any]:
    results: dict[str, Any] = {}
    for kind, build in MODELS.items():
        build().save_pretrained(scratch / kind)
        build_tokenizer().save_pretrained(scratch / kind)
    for name, (like, attempts) in RUNS.items():
        if wanted and name not in wanted:
            continue
        kind, changes = ALONE[like]
        for run, tries in ((like, [({}, None)]), (name, attempts)):
            if run not in results:
                results[run] = attempted(
                    scratch / run.replace(",", "").replace(" ", "-"), scratch / kind, tries, changes
                )
    return results


def attempted(root: Path, base: Path, attempts: Attempts, changes: dict[str, Any]) -> Any:
    try:
        return run_job(root, base, attempts, **changes)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    torch.set_num_threads(1)
    target, room = Path(sys.argv[1]), Path(sys.argv[2])
    room.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found(room, sys.argv[3:])))

"""Training and sampling on one GPU: tokens a second, MFU and memory of a model of a real shape, against TRL.

Each side is a process of its own; what was measured is written after each, so that a time that ran out costs the rest.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import results_file
from benchmarks.gpu_sides import LOADS, SHAPES, SIDES, Figures

ROOT = Path(__file__).parents[1]
GOAL = {"sft_ratio": ">= 1.3", "lora_ratio": ">= 1", "rollout_ratio": ">= 1"}
PAIRS = {
    "sft": ("sft_assay", "sft_trl"),
    "lora": ("lora_assay", "lora_trl"),
    "rollout": ("rollout_assay", "rollout_generate"),
}
LARGE = {"lora": "8b"}
LONGEST_SIDE_S = 300.0


@dataclass(frozen=True)
class Part:
    """Sides that run in turn, so many times, with a model of one shape."""

    name: str
    shape: str
    sides: tuple[str, ...]
    times: int


def parts_of(shape: str, pairs: int) -> list[Part]:
    """In the order of what is missed most. With the default shape, adapters are put on a larger one."""
    large = LARGE["lora"] if shape == "1b" else shape
    found = [
        Part("same", "tiny", ("same_numbers",), 1),
        Part("sft", shape, PAIRS["sft"], pairs),
        Part("lora", large, PAIRS["lora"], max(1, pairs // 2)),
        Part("rollout", shape, PAIRS["rollout"], max(1, pairs // 2)),
        Part("offload", shape, ("offload_assay",), 1),
    ]
    return [*found, Part("vllm", shape, ("rollout_vllm",), 1)] if importlib.util.find_spec("vllm") else found


def be_side(name: str, shape: str) -> None:
    """Be one side, and print its figures as the last line."""
    print(json.dumps(SIDES[name](shape, LOADS[shape])))


def measure(name: str, shape: str, seconds: float) -> Figures | str:
    """One side in a process of its own; where it fails, why."""
    command = [sys.executable, "-m", "benchmarks.training_gpu", "--side", name, "--shape", shape]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return f"not within {seconds:.0f} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    print(f"{name} {shape}: {found}", flush=True)
    return found


def figures(part: Part, runs: Sequence[dict[str, Figures]]) -> dict[str, Any]:
    """Medians of each side, and of the ratio within each pair."""
    found: dict[str, Any] = {f"{part.name}_shape": part.shape, f"{part.name}_runs": len(runs)}
    for side in part.sides:
        for name in runs[0][side]:
            found[f"{side}_{name}"] = round(
                statistics.median(run[side][name] for run in runs), 9 if side == "same_numbers" else 3
            )
    if len(part.sides) == 2:
        own, other = part.sides
        for name, what in (("tokens_per_s", "ratio"), ("memory_gib", "memory_ratio")):
            if name in runs[0][own]:
                found[f"{part.name}_{what}"] = round(
                    statistics.median(run[own][name] / run[other][name] for run in runs), 3
                )
    return found


def measured(parts: Sequence[Part], until: float) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Figures and what is missing, part by part, while there is time."""
    for part in parts:
        runs, missing = list[dict[str, Figures]](), list[str]()
        for _ in range(part.times):
            run: dict[str, Figures] = {}
            for side in part.sides:
                left = min(LONGEST_SIDE_S, until - time.monotonic())
                outcome = measure(side, part.shape, left) if left > 0 else "no time was left"
                if isinstance(outcome, str):
                    missing.append(f"{side} ({part.shape}): {outcome}")
                    break
                run[side] = outcome
            if missing:
                break
            runs.append(run)
        yield figures(part, runs) if runs else {}, missing


def gpu_in_words() -> str | None:
    """The GPU's name and its driver; None where there is none."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def main() -> None:
    """Measure and, on a GPU, write the result after every part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_gpu", description=__doc__)
    parser.add_argument("--shape", choices=list(SHAPES), default="1b", help="tiny tries the script on any machine")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--budget-s", type=float, default=540.0, help="no part is begun after so many seconds")
    parser.add_argument("--output", type=Path, default=results_file.FOLDER, help="folder of the result file")
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        be_side(given.side, given.shape)
        return
    gpu, began, load = gpu_in_words(), time.monotonic(), results_file.load()
    if gpu is None and given.shape != "tiny":
        print("no GPU here, so nothing to measure; --shape tiny tries the script on the processor")
        return
    found: dict[str, Any] = {}
    missing: list[str] = []
    for more, lacking in measured(parts_of(given.shape, given.pairs), began + given.budget_s):
        found |= more
        missing += lacking
        if gpu is not None:
            _write(given, found, missing, gpu, load, time.monotonic() - began)
    if gpu is None:
        print(json.dumps(found, indent=2))
    for line in missing:
        print(f"not measured: {line}")
    if missing and gpu is None:
        sys.exit(1)


def _write(
    given: argparse.Namespace, found: dict[str, Any], missing: list[str], gpu: str, load: float, seconds: float
) -> None:
    results_file.write(
        "training_gpu",
        figures=found,
        goal=GOAL,
        command=f"python -m benchmarks.training_gpu --shape {given.shape} --pairs {given.pairs}",
        packages=["torch", "transformers", "trl"],
        load_before=load,
        notes=[
            f"GPU: {gpu}",
            "random weights, random tokens, bfloat16 with float32 masters on both sides, AdamW, the same rows",
            "rows of many lengths; as many in one forward pass on both sides, packed by Assay, padded by TRL",
            "mfu: the model's own operations (Chowdhery et al. 2022, appendix B) over the data sheet's peak; what 8b "
            "computes again is not counted",
            "lora: rank 16 on all linear layers; offload: weights and optimizer rest in main memory",
            "rollout: every completion as long, weights new before every round; generate: transformers' own",
            *(f"not measured: {line}" for line in missing),
        ],
        wall_s=seconds,
        folder=given.output,
    )


if __name__ == "__main__":
    main()

"""One experiment on real rows, by Assay and by hand: TRL's SFTTrainer and the lm_eval command line in scripts.

Same model, rows, steps and items on the same cores; the wall time of each, and the scores of both beside each other.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import results_file
from examples.gsm8k.prepare import prepare

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODEL = ROOT / "examples" / "pilot" / "model"
BENCHMARKS = ("numeric", "perplexity")
ARMS = ("full", "answer-only", "shuffled")
GOAL = {"ratio": "<= 0.33", "scores": "within noise: the difference less than three of its own standard errors"}
PACKAGES = ("torch", "transformers", "trl", "lm_eval", "datasets")
NOTES = [
    "assay_s: `assay up` on a new state folder, then `assay submit --wait` until the report is there; the stop of the "
    "system is not counted. running_s is the part after `assay up`.",
    "by_hand_s: benchmarks/peer/by_hand/run.sh, a process for each training (TRL's SFTTrainer) and each evaluated "
    "model (lm_eval run, both tasks at once), two at a time with one thread each.",
    "Rows are cut from GSM8K by examples/gsm8k/prepare.py, which is not counted. Both see all rows, in different "
    "orders; every model is asked the same items, greedily. Scores are means over seeds.",
    "noise: per arm and benchmark, both sides' seed means; the standard error of their difference has the seeds' "
    "pooled spread over all arms. control has no seeds: its scores must be equal to 1e-3.",
]


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


Scores = dict[tuple[str, str], list[float]]
"""(arm, benchmark) to each seed's mean."""


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


def assay(state: Path, *arguments: str) -> str:
    """What an `assay` command prints. Raises CalledProcessError."""
    command = [sys.executable, "-m", "assay", *arguments]
    environment = {**os.environ, "ASSAY_HOME": str(state)}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def by_assay(folder: Path, data: Path, size: Size) -> tuple[float, float, Scores]:
    """Seconds in all, seconds after the system's start, and the scores."""
    file, state = folder / "experiment.yaml", folder / "state"
    file.write_text(yaml.safe_dump(specification(data, size)), encoding="utf-8")
    began = time.perf_counter()
    try:
        assay(state, "up", "--detach")
        up_s = time.perf_counter() - began
        answer = json.loads(assay(state, "submit", str(file), "--wait", "--json"))
        whole_s = time.perf_counter() - began
        report = json.loads(assay(state, "report", answer["experiment_id"], "--json"))
    finally:
        assay(state, "down")
    scores: Scores = {
        (cell["arm"], cell["benchmark"]): list(cell["seed_means"].values()) or [cell["mean"]]
        for cell in report["cells"]
    }
    return whole_s, whole_s - up_s, scores


def by_hand(folder: Path, data: Path, size: Size) -> tuple[float, Scores]:
    """Seconds of the scripts, and the scores they leave behind."""
    seeds = " ".join(map(str, range(size.seeds)))
    numbers = (size.steps, size.batch_size, size.learning_rate, size.max_length, size.max_new_tokens)
    command = [str(HERE / "by_hand" / "run.sh"), str(data), str(MODEL), str(folder), *map(str, numbers)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    began = time.perf_counter()
    done = subprocess.run([*command, " ".join(ARMS), seeds], env={**os.environ, "PATH": path}, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        for log in sorted((folder / "logs").iterdir()):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        raise RuntimeError(f"the scripts ended with code {done.returncode}")
    return seconds, hand_scores(folder / "results", size.seeds)


def hand_scores(results: Path, seeds: int) -> Scores:
    """Out of lm_eval's result files."""
    scores: Scores = {}
    names = {"control": ["control"], **{arm: [f"{arm}-{seed}" for seed in range(seeds)] for arm in ARMS}}
    for arm, folders in names.items():
        for name in folders:
            (file,) = (results / name).rglob("results_*.json")
            found = json.loads(file.read_text(encoding="utf-8"))["results"]
            for benchmark, metric in zip(BENCHMARKS, ("numeric", "bits_per_byte"), strict=True):
                score = found[f"assay_peer_{benchmark}"][f"{metric},none"]
                scores.setdefault((arm, benchmark), []).append(score)
    return scores


def compared(ours: Scores, theirs: Scores) -> list[dict[str, Any]]:
    """Both sides' scores and whether they are the same within noise."""
    rows = []
    for benchmark in BENCHMARKS:
        spread = pooled_sd([side[arm, benchmark] for side in (ours, theirs) for arm in ARMS])
        for arm in ("control", *ARMS):
            left, right = ours[arm, benchmark], theirs[arm, benchmark]
            delta = statistics.mean(left) - statistics.mean(right)
            error = spread * (1 / len(left) + 1 / len(right)) ** 0.5
            same = abs(delta) <= (1e-3 if arm == "control" else max(1e-3, 3 * error))
            rows.append(
                {
                    "arm": arm,
                    "benchmark": benchmark,
                    "assay": round(statistics.mean(left), 4),
                    "by_hand": round(statistics.mean(right), 4),
                    "standard_error": None if arm == "control" else round(error, 4),
                    "same": same,
                }
            )
    return rows


def pooled_sd(groups: list[list[float]]) -> float:
    """Of the seeds within each group, over all groups; 0 where no group has two seeds."""
    squares = sum(statistics.variance(group) * (len(group) - 1) for group in groups if len(group) > 1)
    freedom = sum(len(group) - 1 for group in groups)
    return float((squares / freedom) ** 0.5) if freedom else 0.0


def gsm8k() -> Path:
    """The folder with the real problems. Raises SystemExit where there is none."""
    folder = Path(os.environ.get("ASSAY_GSM8K", ROOT.parent / "shared" / "data" / "gsm8k"))
    if not (folder / "train.jsonl").is_file():
        raise SystemExit("GSM8K is not here; set ASSAY_GSM8K to the folder with its train.jsonl and test.jsonl")
    return folder


def measure(folder: Path, size: Size) -> dict[str, Any]:
    """Both sides, one after the other, and the figures."""
    data = folder / "data"
    write_data(gsm8k(), data, size)
    print("   by Assay", flush=True)
    assay_s, running_s, ours = by_assay(folder, data, size)
    print(f"   by Assay: {assay_s:.0f} s, of them {assay_s - running_s:.0f} s to start the system", flush=True)
    hand_s, theirs = by_hand(folder / "by_hand", data, size)
    print(f"   by hand: {hand_s:.0f} s", flush=True)
    scores = compared(ours, theirs)
    return {
        "ratio": round(assay_s / hand_s, 3),
        "ratio_running": round(running_s / hand_s, 3),
        "assay_s": round(assay_s, 1),
        "running_s": round(running_s, 1),
        "by_hand_s": round(hand_s, 1),
        "same_scores": all(row["same"] for row in scores),
        "scores": scores,
        "size": {**vars(size), "arms": len(ARMS)},
    }


def main() -> None:
    """Measure, write the result and print its figures."""
    sizes = {"steps": (100, "of each training"), "items": (100, "of each benchmark"), "seeds": (2, "of each arm")}
    run = results_file.begin("peer", __doc__, sizes)
    folder = Path(tempfile.mkdtemp()).resolve()
    try:
        figures = measure(folder, Size(run.given.steps, run.given.items, run.given.seeds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    run.write(figures, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()

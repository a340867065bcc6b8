"""Tokens a second of supervised fine-tuning against TRL's SFTTrainer: same model, rows, batch and dtype.

Each side runs in a process of its own, in turn; padding is not counted as tokens.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import results_file

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "examples" / "pilot" / "model"
BATCH_ROWS, MAX_LENGTH, LEARNING_RATE = 16, 1024, 1e-4
GOAL = {"sft_ratio": ">= 1.3", "memory_ratio": "<= 1"}
SIDES = ("assay", "trl")


def gsm8k_rows(count: int) -> list[dict[str, str]]:
    """The first real training problems as prompt and completion."""
    folder = Path(os.environ.get("ASSAY_GSM8K", ROOT.parent / "shared" / "data" / "gsm8k"))
    lines = (folder / "train.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    problems = [json.loads(line) for line in lines]
    return [{"prompt": f"Question: {row['question']}\nAnswer: ", "completion": row["answer"]} for row in problems]


def run_assay(rows: list[dict[str, str]], steps: int) -> dict[str, float]:
    """The trainer's own step; the first one, which warms up, is not counted."""
    import torch
    from assay_schemas.algorithms import SftHyperparameters
    from assay_trainer.algorithms.sft import Sft
    from assay_trainer.data.prepare import prepare
    from assay_trainer.data.rows import Row
    from assay_trainer.model import load_model, load_tokenizer
    from assay_trainer.stepper import Stepper

    hyperparameters = SftHyperparameters(
        steps=steps,
        batch_size=BATCH_ROWS,
        max_length=MAX_LENGTH,
        learning_rate=LEARNING_RATE,
        schedule="constant",
        validation_share=0.0,
    )
    algorithm = Sft(hyperparameters, load_tokenizer(MODEL))
    numbered = [Row(str(number), number, row) for number, row in enumerate(rows, start=1)]
    batches = prepare(numbered, algorithm, hyperparameters, seed=0).batches
    stepper = Stepper(load_model(MODEL, torch.device("cpu")), algorithm, hyperparameters, seed=0)
    stepper.step(0, steps, batches[0])
    wall, cpu = time.perf_counter(), time.process_time()
    tokens = sum(stepper.step(number, steps, batches[number]).tokens for number in range(1, steps))
    return _figures(tokens, wall, cpu)


def run_trl(rows: list[dict[str, str]], steps: int) -> dict[str, float]:
    """SFTTrainer as its documentation uses it, without saving or reports."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    marks: list[tuple[float, float]] = []

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_arguments: Any, **_named: Any) -> None:
            marks.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            max_steps=steps,
            per_device_train_batch_size=BATCH_ROWS,
            max_length=MAX_LENGTH,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            model_init_kwargs={"dtype": "float32"},
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            save_strategy="no",
            report_to=[],
            logging_steps=1,
            disable_tqdm=True,
            seed=0,
        )
        trainer = SFTTrainer(str(MODEL), args=config, train_dataset=Dataset.from_list(rows), callbacks=[Marks()])
        trainer.train()
    seen = [entry["num_tokens"] for entry in trainer.state.log_history if "num_tokens" in entry]
    return _figures(int(seen[-1] - seen[0]), *marks[0], end=marks[-1])


def _figures(tokens: int, wall: float, cpu: float, end: tuple[float, float] | None = None) -> dict[str, float]:
    import resource

    end_wall, end_cpu = end or (time.perf_counter(), time.process_time())
    return {
        "tokens_per_s": tokens / (end_wall - wall),
        "tokens_per_cpu_s": tokens / (end_cpu - cpu),
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def run_side(side: str, steps: int, cpus: int) -> None:
    """Be one side, and print its figures as the last line."""
    import torch

    torch.set_num_threads(cpus)
    rows = gsm8k_rows(2000)
    print(json.dumps(run_assay(rows, steps) if side == "assay" else run_trl(rows, steps)))


def measure(side: str, steps: int, cpus: int) -> dict[str, float]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training_throughput", "--side", side]
    command += ["--steps", str(steps), "--cpus", str(cpus)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=1800)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{side}: {found}", flush=True)
    return found


def figures(pairs: list[dict[str, dict[str, float]]]) -> dict[str, float]:
    """Medians over the pairs, and of the ratios within each pair."""

    def median(side: str, name: str) -> float:
        return statistics.median(pair[side][name] for pair in pairs)

    def ratio(name: str) -> float:
        return statistics.median(pair["assay"][name] / pair["trl"][name] for pair in pairs)

    return {
        "sft_ratio": round(ratio("tokens_per_s"), 3),
        "sft_cpu_ratio": round(ratio("tokens_per_cpu_s"), 3),
        "memory_ratio": round(ratio("memory_gib"), 3),
        **{f"{side}_tokens_per_s": round(median(side, "tokens_per_s")) for side in SIDES},
        **{f"{side}_tokens_per_cpu_s": round(median(side, "tokens_per_cpu_s")) for side in SIDES},
        "pairs": len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--cpus", type=int, default=2)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        run_side(arguments.side, arguments.steps, arguments.cpus)
        return
    began, load = time.monotonic(), results_file.load()
    pairs = [{side: measure(side, arguments.steps, arguments.cpus) for side in SIDES} for _ in range(arguments.pairs)]
    results_file.write(
        "training_throughput",
        figures=figures(pairs),
        goal=GOAL,
        command=f"python -m benchmarks.training_throughput --pairs {arguments.pairs} --steps {arguments.steps}",
        packages=["torch", "transformers", "trl"],
        load_before=load,
        notes=[
            f"pilot model, rows of GSM8K, {BATCH_ROWS} rows a step, at most {MAX_LENGTH} tokens, float32",
            "tokens are those of rows, not padding; the first step of each side is not counted",
            "the ratio of tokens a second of processor time depends little on what else the machine does",
        ],
        wall_s=time.monotonic() - began,
    )


if __name__ == "__main__":
    main()

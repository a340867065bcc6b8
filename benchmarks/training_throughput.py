"""Tokens a second of SFT and DPO, and samples a second of GRPO, against TRL's trainers: same model, rows and dtype.

Each side runs in a process of its own, in turn; padding is not counted as tokens.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import gsm8k_pairs, online_sides, results_file
from benchmarks.trl_options import SAME_WORK

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "examples" / "pilot" / "model"
MAX_LENGTH, LEARNING_RATE = 1024, 1e-4
BATCH_ROWS = {"sft": 16, "dpo": 8}
ALGORITHMS = (*BATCH_ROWS, "grpo")
COUNTED = {"sft": "tokens", "dpo": "tokens", "grpo": "samples"}
GOAL = {f"{name}_ratio": ">= 1.3" for name in ALGORITHMS} | {f"{name}_memory_ratio": "<= 1" for name in ALGORITHMS}
SIDES = ("assay", "trl")
ROWS = 1400


@dataclass(frozen=True)
class Side:
    """One process: an algorithm by one of the two, so many steps on so many cores, GRPO with a rollout engine."""

    algorithm: str
    name: str
    steps: int
    cpus: int
    engine: online_sides.Engine


def rows_for(algorithm: str) -> list[dict[str, str]]:
    """The first real training problems with their solutions, or real right and wrong solutions."""
    if algorithm == "dpo":
        return [{key: pair[key] for key in ("prompt", "chosen", "rejected")} for pair in gsm8k_pairs.pairs(2)[:ROWS]]
    lines = (gsm8k_pairs.folder() / "train.jsonl").read_text(encoding="utf-8").splitlines()[:ROWS]
    problems = [json.loads(line) for line in lines]
    return [{"prompt": f"Question: {row['question']}\nAnswer: ", "completion": row["answer"]} for row in problems]


def run_assay(side: Side) -> dict[str, float]:
    """The trainer's own step. DPO's reference is computed for the steps that count, and its time counts."""
    import torch
    from assay_trainer.algorithms import ALGORITHMS
    from assay_trainer.data.prepare import prepare
    from assay_trainer.data.rows import Row, split_rows
    from assay_trainer.model import load_model, load_tokenizer
    from assay_trainer.stepper import Stepper

    chosen = ALGORITHMS[side.algorithm.upper()]
    hyperparameters = chosen.hyperparameters_class.model_validate(
        {
            "steps": side.steps,
            "batch_size": BATCH_ROWS[side.algorithm],
            "max_length": MAX_LENGTH,
            "learning_rate": LEARNING_RATE,
            "schedule": "constant",
            "validation_share": 0.0,
        }
    )
    algorithm = chosen(hyperparameters, load_tokenizer(MODEL))
    numbered = [Row(str(number), number, row) for number, row in enumerate(rows_for(side.algorithm), start=1)]
    batches = prepare(
        split_rows(numbered, hyperparameters.validation_share), algorithm, hyperparameters, seed=0
    ).batches
    device = torch.device("cpu")
    stepper = Stepper(load_model(MODEL, device), algorithm, hyperparameters, seed=0)

    def reference(examples: list[Any]) -> None:
        with torch.no_grad():
            algorithm.before_first_step(contextlib.nullcontext(stepper.model), examples, device)

    reference(batches[0])
    stepper.step(0, side.steps, batches[0])
    wall, cpu = time.perf_counter(), time.process_time()
    reference([example for batch in batches[1:] for example in batch])
    tokens = sum(stepper.step(number, side.steps, batches[number]).tokens for number in range(1, side.steps))
    return _figures("tokens", tokens, (wall, cpu), (time.perf_counter(), time.process_time()))


def run_trl(side: Side) -> dict[str, float]:
    """The trainer as its documentation uses it, without saving or reports, and without recomputing activations."""
    import trl
    from datasets import Dataset
    from transformers import TrainerCallback

    marks: list[tuple[float, float]] = []

    class Marks(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_arguments: Any, **_named: Any) -> None:
            marks.append((time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        config = getattr(trl, f"{side.algorithm.upper()}Config")(
            output_dir=folder,
            max_steps=side.steps,
            per_device_train_batch_size=BATCH_ROWS[side.algorithm],
            max_length=MAX_LENGTH,
            learning_rate=LEARNING_RATE,
            **SAME_WORK,
        )
        trainer = getattr(trl, f"{side.algorithm.upper()}Trainer")(
            str(MODEL), args=config, train_dataset=Dataset.from_list(rows_for(side.algorithm)), callbacks=[Marks()]
        )
        trainer.train()
    seen = [entry["num_tokens"] for entry in trainer.state.log_history if "num_tokens" in entry]
    return _figures("tokens", int(seen[-1] - seen[0]), marks[0], marks[-1])


def run_online(side: Side) -> dict[str, float]:
    """GRPO by either; what each counts is the samples it learned from, without those of the first step."""
    run = online_sides.run_assay if side.name == "assay" else online_sides.run_trl
    marks = run(side.engine, side.steps)
    return _figures("samples", online_sides.SAMPLES * (len(marks) - 1), marks[0], marks[-1])


def _figures(counted: str, count: int, begin: online_sides.Mark, end: online_sides.Mark) -> dict[str, float]:
    import resource

    (wall, cpu), (end_wall, end_cpu) = begin, end
    return {
        f"{counted}_per_s": count / (end_wall - wall),
        f"{counted}_per_cpu_s": count / (end_cpu - cpu),
        "memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def run_side(side: Side) -> None:
    """Be one side, and print its figures as the last line."""
    import torch

    torch.set_num_threads(side.cpus)
    offline = run_assay if side.name == "assay" else run_trl
    print(json.dumps(run_online(side) if side.algorithm == "grpo" else offline(side)))


def measure(side: Side) -> dict[str, float]:
    """One side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.training_throughput", "--side", side.name]
    command += ["--algorithms", side.algorithm, "--steps", str(side.steps), "--cpus", str(side.cpus)]
    command += ["--rollout-engine", side.engine]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(f"{side.algorithm} by {side.name}: {found}", flush=True)
    return found


def figures(algorithm: str, pairs: list[dict[str, dict[str, float]]]) -> dict[str, float]:
    """Medians over the pairs, and of the ratios within each pair."""

    def median(side: str, name: str) -> float:
        return statistics.median(pair[side][name] for pair in pairs)

    def ratio(name: str) -> float:
        return statistics.median(pair["assay"][name] / pair["trl"][name] for pair in pairs)

    per_s, per_cpu_s = f"{COUNTED[algorithm]}_per_s", f"{COUNTED[algorithm]}_per_cpu_s"
    return {
        f"{algorithm}_ratio": round(ratio(per_s), 3),
        f"{algorithm}_cpu_ratio": round(ratio(per_cpu_s), 3),
        f"{algorithm}_memory_ratio": round(ratio("memory_gib"), 3),
        **{f"{algorithm}_{side}_{name}": round(median(side, name), 1) for name in (per_s, per_cpu_s) for side in SIDES},
        f"{algorithm}_pairs": len(pairs),
    }


def command_of(given: argparse.Namespace) -> str:
    """What measures the same again."""
    chosen = f"--algorithms {' '.join(given.algorithms)} --rollout-engine {given.rollout_engine}"
    size = f"--pairs {given.pairs} --steps {given.steps} --cpus {given.cpus}"
    return f"python -m benchmarks.training_throughput {chosen} {size}"


def main() -> None:
    """Measure, write the result and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_throughput", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument(
        "--cpus", type=int, default=2, help="threads; 1 where others compute too: threads that wait for each other spin"
    )
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS))
    parser.add_argument(
        "--rollout-engine",
        choices=("vllm", "transformers"),
        default=online_sides.engine_here(),
        help="what samples on both sides of GRPO; vllm where it is installed, unless said otherwise",
    )
    parser.add_argument("--output", type=Path, default=results_file.FOLDER, help="folder of the result file")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        run_side(Side(given.algorithms[0], given.side, given.steps, given.cpus, given.rollout_engine))
        return
    began, load = time.monotonic(), results_file.load()
    found: dict[str, Any] = {}
    for algorithm in given.algorithms:
        sides = [Side(algorithm, name, given.steps, given.cpus, given.rollout_engine) for name in SIDES]
        found |= figures(algorithm, [{side.name: measure(side) for side in sides} for _ in range(given.pairs)])
        found[f"{algorithm}_cores"] = given.cpus
        found |= {"grpo_rollout_engine": given.rollout_engine} if algorithm == "grpo" else {}
    results_file.write(
        "training_throughput",
        figures={**results_file.figures("training_throughput", given.output), **found},
        goal=GOAL,
        command=command_of(given),
        packages=["torch", "transformers", "trl"],
        load_before=load,
        notes=[
            f"pilot model, real rows, {BATCH_ROWS} a step, at most {MAX_LENGTH} tokens, float32",
            "an algorithm's figures are those of the last run that measured it, the command that of the last run",
            "tokens are those of rows, not padding; the first step of each side is not counted",
            f"GRPO: {online_sides.PROMPTS} prompts of {online_sides.SAMPLES_EACH} samples a step, at most "
            f"{online_sides.MAX_COMPLETION} tokens each, one update, no KL, the same rollout engine on both sides; "
            "Assay verifies in a process of its own, whose processor time is not counted, TRL in the trainer's",
            "vLLM, where it samples: float32, nothing compiled and the same cache on both sides; its matrices "
            "plain for TRL on a processor, since TRL loads into what vLLM packed there",
            "DPO: TRL computes its reference in every step, Assay once before the first; both are counted",
            "the ratio of tokens a second of processor time depends little on what else the machine does",
        ],
        wall_s=time.monotonic() - began,
        folder=given.output,
    )


if __name__ == "__main__":
    main()

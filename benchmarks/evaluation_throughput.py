"""Eight checkpoints on three benchmarks in one go, against a `lm_eval` command line for each checkpoint.

The same engine, items and batch size on both sides, and the same scores, or the measurement fails.
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
from pathlib import Path
from typing import Any

import yaml
from assay_chassis.object_store import FileStore, SyncObjectStore
from assay_schemas.artifacts import DatasetRef, ModelRef, rows_key
from assay_schemas.benchmarks import NEWEST_HARNESS
from assay_schemas.canonical import digest_of, sha256_hex
from assay_schemas.datasets import snapshot_bytes
from assay_schemas.jobs import EvalInputs, EvalRequest, job_key

from benchmarks import results_file
from benchmarks.harness_tasks import own_tasks

GOAL = {"ratio": ">= 5"}
PACKAGES = ("torch", "transformers", "lm_eval")
NOTES = [
    "Ours: one process evaluates every checkpoint on every benchmark, its start included, weights put in place of the "
    "earlier ones. Theirs: one `lm_eval run` a checkpoint, all three tasks in one command. Sample files on both sides.",
    "With fewer command lines than checkpoints (`--lines`), each pair runs that many of them, the next in turn, and "
    "their time is scaled to all checkpoints: they are processes of their own, one after another.",
]
PILOT = Path(__file__).parents[1] / "examples" / "pilot" / "model"
BATCH = 64
TASKS = own_tasks(max_tokens=16)
OURS = {"exact_match": "exact_match", "multiple_choice": "accuracy", "perplexity": "bits_per_byte_corpus"}
THEIRS = {"exact_match": "exact_match,none", "multiple_choice": "acc,none", "perplexity": "bits_per_byte,none"}


def rows(name: str, count: int) -> list[dict[str, Any]]:
    """Sums as questions, as choices and as texts."""
    made = []
    for place in range(count):
        left, right = 3 * place + 1, 7 * place % 19
        total = left + right
        forms: dict[str, dict[str, Any]] = {
            "exact_match": {"prompt": f"{left} + {right} = ?\nAnswer:", "answer": str(total)},
            "multiple_choice": {
                "prompt": f"{left} + {right} = ?\nAnswer:",
                "choices": [str(total), str(total + 1), str(total + 10)],
                "answer": 0,
                "right": 0,
            },
            "perplexity": {"text": f"{left} + {right} = {total}\n#### {total}"},
        }
        made.append({"id": f"{name}-{place}", **forms[name]})
    return made


def checkpoints(folder: Path, count: int) -> list[Path]:
    """The pilot with its weights moved a little further each time."""
    import torch
    from safetensors.torch import load_file, save_file

    made = []
    for place in range(count):
        target = folder / f"checkpoint-{place}"
        shutil.copytree(PILOT, target)
        torch.manual_seed(place)
        tensors = load_file(target / "model.safetensors")
        moved = {name: one + 0.001 * place * torch.randn_like(one) for name, one in tensors.items()}
        save_file(moved, target / "model.safetensors", {"format": "pt"})
        made.append(target)
    return made


def requests(store: SyncObjectStore, models: list[Path], items: int) -> list[dict[str, Any]]:
    """Every checkpoint on every benchmark, as the evaluator is asked for it."""
    made = []
    for name in TASKS:
        data = snapshot_bytes(rows(name, items))
        digest = sha256_hex(data)
        snapshot = DatasetRef(uri=store.put_bytes(rows_key(digest), data).uri, digest=digest, rows=items)
        for model in models:
            reference = ModelRef(uri=model.as_uri(), digest=digest_of(model.name))
            parameters = {"batch_size": BATCH, **({"max_tokens": 16} if name == "exact_match" else {})}
            inputs = EvalInputs(
                model=reference.digest,
                benchmark=name,
                harness_version=NEWEST_HARNESS,
                parameters=parameters,
                items=digest,
            )
            asked = EvalRequest(job_key=job_key(inputs), attempt=1, inputs=inputs, model=reference, items=snapshot)
            made.append(asked.model_dump(mode="json"))
    return made


DRIVER = """
import json, sys
from pathlib import Path
from assay_chassis.object_store import FileStore, SyncObjectStore
from assay_evaluator.engines.resident import ResidentEngine
from assay_evaluator.progress import EvaluationProgress
from assay_evaluator.worker import evaluate
from assay_schemas.jobs import EvalRequest
folder = Path(sys.argv[1])
progress = EvaluationProgress(lambda _: None)
engine, found = ResidentEngine(progress), []
with SyncObjectStore(FileStore(folder / "store")) as store:
    for line in (folder / "requests.jsonl").read_text().splitlines():
        request = EvalRequest.model_validate_json(line)
        result = evaluate(request, store, folder / "cache", progress, engine)
        found.append([request.inputs.benchmark, request.model.uri, {k: m.value for k, m in result.metrics.items()}])
(folder / "ours.json").write_text(json.dumps(found))
"""


def ours(folder: Path) -> tuple[float, dict[tuple[str, str], float]]:
    """Seconds, and the leading metric by benchmark and checkpoint."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", DRIVER, str(folder)], check=True, capture_output=True)
    seconds = time.perf_counter() - began
    found = json.loads((folder / "ours.json").read_text())
    return seconds, {(name, Path(uri).name): metrics[OURS[name]] for name, uri, metrics in found}


def theirs(folder: Path, models: list[Path]) -> tuple[float, dict[tuple[str, str], float]]:
    """The same by the command line."""
    scores: dict[tuple[str, str], float] = {}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "datasets")}
    began = time.perf_counter()
    for model in models:
        out = folder / f"out-{model.name}"
        shutil.rmtree(out, ignore_errors=True)
        line = f"run --model hf --model_args pretrained={model},dtype=float32 --batch_size {BATCH} --device cpu "
        line += f"--tasks {','.join(f'local_{name}' for name in TASKS)} --include_path {folder / 'tasks'} "
        line += f"--output_path {out} --log_samples"
        subprocess.run(
            [sys.executable, "-m", "lm_eval", *line.split()], check=True, capture_output=True, env=environment
        )
        [path] = out.rglob("results_*.json")
        results = json.loads(path.read_text())["results"]
        scores |= {(name, model.name): results[f"local_{name}"][THEIRS[name]] for name in TASKS}
    return time.perf_counter() - began, scores


def in_turn(models: list[Path], number: int, count: int) -> list[Path]:
    """The `count` models whose turn it is in run `number`, from 0."""
    return [models[(number * count + place) % len(models)] for place in range(count)]


def prepared(folder: Path, models: list[Path], items: int) -> None:
    """Requests for us, task files and rows for the command line."""
    with SyncObjectStore(FileStore(folder / "store")) as store:
        lines = [json.dumps(one) for one in requests(store, models, items)]
    (folder / "requests.jsonl").write_text("\n".join(lines))
    (folder / "tasks").mkdir()
    for name, config in TASKS.items():
        data = folder / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows(name, items)))
        local: dict[str, Any] = {"task": f"local_{name}", "dataset_path": "json", "test_split": "test"}
        local |= {"dataset_kwargs": {"data_files": {"test": str(data)}}}
        (folder / "tasks" / f"{name}.yaml").write_text(yaml.safe_dump({**config, **local}))


def main() -> None:
    """Measure, write the result and print its figures. Raises SystemExit where a score differs."""
    options = {
        "checkpoints": (8, "checkpoints"),
        "items": (200, "items a benchmark"),
        "runs": (5, "runs"),
        "lines": (8, "command lines of lm_eval a run, of one for each checkpoint"),
    }
    run = results_file.begin("evaluation_throughput", __doc__, options)
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = checkpoints(folder, run.given.checkpoints)
        prepared(folder, models, run.given.items)
        for number in range(run.given.runs):
            our_s, our_scores = ours(folder)
            asked = in_turn(models, number, min(run.given.lines, len(models)))
            their_s, their_scores = theirs(folder, asked)
            times["ours"].append(our_s)
            times["theirs"].append(their_s * len(models) / len(asked))
            if differing := [key for key, score in their_scores.items() if our_scores[key] != score]:
                raise SystemExit(f"scores differ: {differing}")
    medians = {side: statistics.median(found) for side, found in times.items()}
    figures = {
        "ratio": round(statistics.median(b / a for a, b in zip(times["ours"], times["theirs"], strict=True)), 2),
        "ours_s": round(medians["ours"], 1),
        "lm_eval_s": round(medians["theirs"], 1),
    }
    run.write(figures, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()

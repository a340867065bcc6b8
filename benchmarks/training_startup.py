"""Seconds from asking for a training to the end of its first step, against a script that uses TRL.

Assay's job is forked from the trainer's warm parent, as in every system that is up; a cold one is measured too.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assay_chassis.compute import ComputeBackend, ComputeSettings, JobRun, RunStatus, open_backend
from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.canonical import sha256_hex
from assay_schemas.datasets import snapshot_bytes
from assay_schemas.jobs import TrainingInputs, TrainingRequest, job_key
from assay_trainer.handlers import PRELOAD, TRAINING

from benchmarks import results_file
from benchmarks.trl_options import SAME_WORK
from examples.wordproblems.problems import generate

ROOT = Path(__file__).parents[1]
MODEL = ROOT / "examples" / "pilot" / "model"
GOAL = {"ratio": "<= 0.5"}
ROWS, STEPS, BATCH_ROWS, MAX_LENGTH = 400, 10, 16, 256
FIRST = "first step"
PATIENCE_S = 300.0
LOOK_S = 0.01
NOTES = [
    "the pilot, SFT, 400 rows of word problems; from the request until the first step's progress is there",
    "assay: the job is submitted to the local backend, whose warm parent is up; cold: the backend starts with it",
    "trl: `python script`, from its start until its first step ended; nothing else of it is slower than it must be",
]


def rows() -> list[dict[str, str]]:
    return [{"prompt": problem.prompt, "completion": f" {problem.answer}"} for problem in generate("train", ROWS, 1)]


def request_of(store: Path, seed: int) -> TrainingRequest:
    """A training that no run before was; its data lies in the store."""
    data = snapshot_bytes(rows())
    digest = sha256_hex(data)
    place = store / "datasets" / digest / "rows.jsonl"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    hyperparameters = {"steps": STEPS, "batch_size": BATCH_ROWS, "max_length": MAX_LENGTH}
    inputs = TrainingInputs(
        algorithm="SFT", engine_version="1", model="a" * 64, dataset=digest, hyperparameters=hyperparameters, seed=seed
    )
    return TrainingRequest(
        job_key=job_key(inputs),
        attempt=1,
        inputs=inputs,
        model=ModelRef(uri=MODEL.as_uri(), digest="a" * 64, name="pilot"),
        dataset=DatasetRef(uri=place.as_uri(), digest=digest, rows=ROWS),
    )


async def first_step_s(backend: ComputeBackend, request: TrainingRequest, began: float) -> float:
    """Seconds since `began` until the run has told of its first step; the run is ended then."""
    run = JobRun(
        kind=TRAINING.kind,
        job_key=request.job_key,
        attempt=1,
        entrypoint=TRAINING.entrypoint,
        payload=request.model_dump(mode="json"),
    )
    await backend.submit(run)
    status = await _until(backend, run.name, lambda status: bool(status.progress and status.progress["step"] >= 1))
    if status.progress is None:
        raise RuntimeError(f"no first step: {status.state}, {status.reason} {status.log_tail}")
    taken = time.perf_counter() - began
    await backend.cancel(run.name)
    await _until(backend, run.name, lambda status: status.state.ended)
    return taken


async def _until(backend: ComputeBackend, name: str, reached: Callable[[RunStatus], bool]) -> RunStatus:
    """The run's status once it is as wanted, or has ended."""
    status = await backend.status(name)
    for _ in range(int(PATIENCE_S / LOOK_S)):
        if reached(status) or status.state.ended:
            break
        await asyncio.sleep(LOOK_S)
        status = await backend.status(name)
    return status


async def by_assay(folder: Path, runs: int) -> tuple[float, list[float]]:
    """Of the job that starts with its backend, and of those after it."""
    store = folder / "store"
    environment = {"ASSAY_OBJECT_STORE": store.as_uri()}
    backend = open_backend(
        ComputeSettings(compute_root=folder / "compute"), "trainer", preload=PRELOAD, environment=environment
    )
    requests = [request_of(store, seed) for seed in range(runs + 1)]
    began = time.perf_counter()
    await backend.start()
    try:
        cold = await first_step_s(backend, requests[0], began)
        return cold, [await first_step_s(backend, request, time.perf_counter()) for request in requests[1:]]
    finally:
        await backend.shutdown()
        await backend.close()


def by_trl() -> float:
    """Of the script, in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.training_startup", "--script"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            if line.startswith(FIRST):
                return time.perf_counter() - began
    raise RuntimeError(f"the script ended with code {process.returncode} before its first step")


def script() -> None:
    """What one writes with TRL: trains as many steps, and here ends after the first."""
    import trl
    from datasets import Dataset
    from transformers import TrainerCallback

    class First(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_arguments: Any, **_named: Any) -> None:
            print(FIRST, flush=True)
            os._exit(0)

    with tempfile.TemporaryDirectory() as folder:
        config = trl.SFTConfig(
            output_dir=folder,
            max_steps=STEPS,
            per_device_train_batch_size=BATCH_ROWS,
            max_length=MAX_LENGTH,
            **SAME_WORK,
        )
        data = Dataset.from_list(rows())
        trl.SFTTrainer(str(MODEL), args=config, train_dataset=data, callbacks=[First()]).train()


def main() -> None:
    """Measure, write the result and print its figures."""
    if "--script" in sys.argv[1:]:
        script()
        return
    run = results_file.begin("training_startup", __doc__, {"runs": (5, "runs of each")})
    theirs = [by_trl() for _ in range(run.given.runs + 1)][1:]
    with tempfile.TemporaryDirectory() as folder:
        cold, ours = asyncio.run(by_assay(Path(folder), run.given.runs))
    figures = {
        "assay_s": round(statistics.median(ours), 3),
        "assay_cold_s": round(cold, 3),
        "trl_s": round(statistics.median(theirs), 3),
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 3),
        "cold_ratio": round(cold / statistics.median(theirs), 3),
    }
    run.write(figures, goal=GOAL, packages=["torch", "transformers", "trl"], notes=NOTES)


if __name__ == "__main__":
    main()

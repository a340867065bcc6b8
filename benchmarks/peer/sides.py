"""Each side run once from nothing: the clock, the processor time of all its processes, and the scores it came to.

Never compares the sides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.peer.experiment import ARMS, MODEL, Size, specification
from benchmarks.peer.scores import Scores, hand_scores
from benchmarks.processes import cpu_of_family

SCRIPTS = Path(__file__).resolve().parent / "by_hand"


@dataclass(frozen=True)
class Taken:
    """What one run of a side took; `running_s` is the part after the system's start, where there is a system."""

    seconds: float
    running_s: float
    cpu_s: float
    scores: Scores


def assay(state: Path, *arguments: str) -> str:
    """What an `assay` command prints. Raises CalledProcessError."""
    command = [sys.executable, "-m", "assay", *arguments]
    environment = {**os.environ, "ASSAY_HOME": str(state)}
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


def by_assay(folder: Path, data: Path, size: Size) -> Taken:
    """The experiment by Assay with its state in `folder`, which is new and is removed."""
    folder.mkdir()
    file, state = folder / "experiment.yaml", folder / "state"
    file.write_text(yaml.safe_dump(specification(data, size)), encoding="utf-8")
    began, spent = time.perf_counter(), cpu_of_family(os.getpid())
    try:
        assay(state, "up", "--detach")
        up_s = time.perf_counter() - began
        answer = json.loads(assay(state, "submit", str(file), "--wait", "--json"))
        seconds, cpu_s = time.perf_counter() - began, cpu_of_family(os.getpid()) - spent
        report = json.loads(assay(state, "report", answer["experiment_id"], "--json"))
    finally:
        assay(state, "down")
    shutil.rmtree(folder)
    scores: Scores = {
        (cell["arm"], cell["benchmark"]): list(cell["seed_means"].values()) or [cell["mean"]]
        for cell in report["cells"]
    }
    return Taken(seconds, seconds - up_s, cpu_s, scores)


def by_hand(folder: Path, data: Path, size: Size) -> Taken:
    """The scripts with their files in `folder`, which is new and is removed. Raises RuntimeError."""
    seeds = " ".join(map(str, range(size.seeds)))
    numbers = (size.steps, size.batch_size, size.learning_rate, size.max_length, size.max_new_tokens)
    command = [str(SCRIPTS / "run.sh"), str(data), str(MODEL), str(folder), *map(str, numbers)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    began, spent = time.perf_counter(), cpu_of_family(os.getpid())
    done = subprocess.run([*command, " ".join(ARMS), seeds], env={**os.environ, "PATH": path}, check=False)
    seconds, cpu_s = time.perf_counter() - began, cpu_of_family(os.getpid()) - spent
    if done.returncode:
        for log in sorted((folder / "logs").iterdir()):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-2000:]}", file=sys.stderr)
        raise RuntimeError(f"the scripts ended with code {done.returncode}")
    scores = hand_scores(folder / "results", size.seeds)
    shutil.rmtree(folder)
    return Taken(seconds, seconds, cpu_s, scores)

"""How evenly shards keep workers busy: the slowest worker's time over the mean, shards taken when free against static.

A tiny model writes answers of mixed lengths to prompts of mixed lengths; no service runs.
"""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.progress import EvaluationProgress

from benchmarks import results_file

GOAL = {"max_over_mean": "<= 1.1"}
PACKAGES = ("torch", "transformers", "lm_eval")
NOTES = [
    "Both in the same run, on the same requests and processes of one thread each. Static: each worker gets every "
    "n-th request, as distributed data-parallel evaluation does; its time is that of one worker computing that part."
]
PILOT = Path(__file__).parents[1] / "examples" / "pilot" / "model"


def requests(count: int) -> list[SimpleNamespace]:
    """Prompts of 1 to 60 words; one answer in four, drawn with a fixed seed, may be eight times as long."""
    draw, made = random.Random(7), []
    for place in range(count):
        new = 64 if draw.random() < 0.25 else 8
        settings = {"until": [], "max_gen_toks": new, "do_sample": False, "temperature": 0.0}
        made.append(SimpleNamespace(args=(f"{'word ' * (1 + place * 7 % 60)}=", settings), task_name=""))
    return made


def engine(workers: int) -> Any:
    from assay_evaluator.fanout.engine import FannedEngine

    settings = EngineSettings(PILOT, batch_size=8)
    return FannedEngine("transformers", settings, EvaluationProgress(lambda _: None), workers)


def max_over_mean(seconds: list[float]) -> float:
    return max(seconds) / statistics.mean(seconds)


def taken_when_free(asked: list[SimpleNamespace], workers: int) -> tuple[float, float]:
    """The ratio, and the seconds of wall time."""
    lm = engine(workers)
    began = time.perf_counter()
    lm.generate_until(asked)
    wall_s = time.perf_counter() - began
    busy = [worker.busy_s for worker in lm.workers]
    lm.close()
    return max_over_mean(busy), wall_s


def static(asked: list[SimpleNamespace], workers: int) -> float:
    """The ratio where each worker's part is fixed beforehand."""
    lm, seconds = engine(1), []
    for place in range(workers):
        began = time.perf_counter()
        lm.generate_until(asked[place::workers])
        seconds.append(time.perf_counter() - began)
    lm.close()
    return max_over_mean(seconds)


def main() -> None:
    """Measure, write the result and print its figures."""
    options = {"requests": (480, "requests"), "workers": (2, "processes"), "runs": (5, "runs")}
    run = results_file.begin("shard_tail", __doc__, options)
    asked = requests(run.given.requests)
    free = [taken_when_free(asked, run.given.workers) for _ in range(run.given.runs)]
    fixed = [static(asked, run.given.workers) for _ in range(run.given.runs)]
    figures = {
        "max_over_mean": round(statistics.median(ratio for ratio, _ in free), 3),
        "static_max_over_mean": round(statistics.median(fixed), 3),
        "wall_s": round(statistics.median(wall_s for _, wall_s in free), 2),
    }
    run.write(figures, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()

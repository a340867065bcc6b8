"""How long the report of a large experiment takes from its evidence to its files, and what memory that takes.

Made-up samples and rows with the sizes of real ones; nothing is trained, and reading the store is not measured.
"""

from __future__ import annotations

import json
import random
import resource
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks import results_file

GOAL = {"seconds": "<= 10", "memory_gib": "<= 1"}
PACKAGES = ("numpy", "scipy", "pyarrow", "vl-convert-python")
NOTES = [
    "Arms x seeds x benchmarks x items with a generated response of about 40 words each, a training curve of 200 "
    "steps for each replicate, and 4,000 rows of about 60 words for each arm.",
    "A process of its own for each run; from the evidence in memory to HTML, Markdown and JSON, the imports that a "
    "running service has done already left out. Memory is that process's peak, evidence included.",
]
ROWS, STEPS = 4000, 200
WORDS = ["apples", "pears", "baskets", "farmer", "market", "village", "seven", "eight", "each", "more", "there", "are"]
CHILD = "from benchmarks.report_speed import measure; import sys; measure(*map(int, sys.argv[1:]))"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def measure(arms: int, seeds: int, benchmarks: int, items: int) -> None:
    """One run, in this process; prints its figures as JSON."""
    from assay_reporter.compile import compile_report
    from assay_reporter.publication import warm_up
    from assay_reporter.render import FORMS

    warm_up()
    evidence = made_up(arms, seeds, benchmarks, items)
    began = time.perf_counter()
    report = compile_report(evidence, NOW)
    compiled = time.perf_counter() - began
    sizes = {form: len(render(report)) for form, (render, _) in FORMS.items()}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "compiling": compiled, "memory_gib": memory, "html": sizes["html"]}))


def made_up(arms: int, seeds: int, benchmarks: int, items: int) -> Any:
    """The evidence of an experiment that never ran; half of the arms a little better, half a little worse."""
    from assay_reporter.evidence import Evidence, TrainingRows
    from assay_schemas.artifacts import ArtifactRef, DatasetRef, ModelRef
    from assay_schemas.experiments import ExperimentSpec
    from assay_schemas.results import (
        ExperimentResult,
        Plan,
        PlannedArm,
        PlannedBenchmark,
        PlannedReplicate,
        TrainingResult,
    )  # fmt: skip

    draw = random.Random(0)
    names = [f"arm-{number}" for number in range(arms)]
    ids = [f"benchmark-{number}" for number in range(benchmarks)]
    spec = ExperimentSpec.model_validate({
        "name": "large", "base_model": "/models/made-up", "training": {"algorithm": "SFT"}, "seeds": seeds,
        "arms": [{"name": name, "dataset": f"/data/{name}.jsonl"} for name in names],
        "benchmarks": [{"name": "numeric", "parameters": {"dataset": f"/data/{one}.jsonl"}} for one in ids],
    })  # fmt: skip
    digests = {name: f"{place:064x}" for place, name in enumerate(["control", *names])}
    planned = [PlannedArm(name="control", role="control")] + [
        PlannedArm(name=name, role="arm", dataset=DatasetRef(uri=f"file:///{name}", digest=digests[name], rows=ROWS))
        for name in names
    ]
    replicates: list[PlannedReplicate] = []
    trainings: dict[str, Any] = {}
    curves: dict[str, Any] = {}
    evaluations: dict[str, Any] = {}
    for arm in planned:
        for seed in [None] if arm.role == "control" else range(seeds):
            key = f"{len(replicates):064x}" if seed is not None else None
            evals = {one: f"{len(replicates):032x}{place:032x}" for place, one in enumerate(ids)}
            replicates.append(PlannedReplicate(arm=arm.name, seed=seed, training=key, evals=evals))
            share = 0.5 if seed is None else 0.5 + 0.1 * (-1) ** planned.index(arm) + draw.gauss(0, 0.01)
            for one in evals.values():
                evaluations[one] = _evaluated(one, share, items, draw)
            if key is not None:
                curves[key] = [{"step": step, "loss": 2 / (1 + step), "metrics": {}} for step in range(STEPS)]
                trainings[key] = _training(TrainingResult, key, digests[arm.name], seed)
    benchmark_rows = [
        PlannedBenchmark(id=one, name="numeric", harness_version="lm-eval-0.4.13", primary="numeric",
                         higher_is_better=True, smallest_effect=0.02)
        for one in ids
    ]  # fmt: skip
    identity = "00000000-0000-0000-0000-000000000000"
    plan = Plan(experiment_id=identity, spec=spec, owner="", model=ModelRef(uri="file:///m", digest=digests["control"]),
                arms=planned, benchmarks=benchmark_rows, replicates=replicates, jobs=[])  # fmt: skip
    reference = ArtifactRef(uri="file:///plan", sha256=digests["control"], size=1)
    result = ExperimentResult(experiment_id=identity, outcome="succeeded", plan=reference, ends=[], completed_at=NOW)
    rows = {digests[name]: TrainingRows(_rows(draw), ROWS) for name in names}
    return Evidence(plan, result, trainings, {}, evaluations, curves, rows)


def _training(kind: Any, key: str, dataset: str, seed: int | None) -> Any:
    checkpoint = {"checkpoint": {"uri": "file:///c", "digest": dataset, "step": STEPS}, "validation_loss": 0.5}
    inputs: dict[str, Any] = {"algorithm": "SFT", "engine_version": "1", "model": dataset, "dataset": dataset}
    inputs |= {"hyperparameters": {}, "seed": seed}
    return kind.model_validate({
        "job_key": key, "attempt": 1, "completed_at": NOW, "inputs": inputs, "checkpoints": [checkpoint],
        "steps": STEPS, "rows": ROWS, "validation_rows": 100, "final_loss": 0.4,
    })  # fmt: skip


def _evaluated(key: str, share: float, items: int, draw: random.Random) -> Any:
    import pyarrow as pa
    from assay_reporter.evidence import Evaluated
    from assay_schemas.results import EvalResult

    right = [draw.random() < share for _ in range(items)]
    digest = "0" * 64
    manifest = EvalResult.model_validate({
        "job_key": key, "attempt": 1, "completed_at": NOW, "items": items, "primary": "numeric",
        "inputs": {"model": digest, "benchmark": "numeric", "harness_version": "lm-eval-0.4.13", "parameters": {}},
        "model": {"uri": "file:///m", "digest": digest}, "metrics": {"numeric": {"value": share}},
        "samples": {"uri": "file:///s", "sha256": digest, "size": 1},
    })  # fmt: skip
    text = _text(draw, 40)
    return Evaluated(manifest, pa.table({
        "item_id": [f"item-{number}" for number in range(items)],
        "sample_index": [0] * items,
        "prompt": [f"{text} How many is {number}?" for number in range(items)],
        "target": [str(number) for number in range(items)],
        "response": [f"{text} #### {number + (not one)}" for number, one in enumerate(right)],
        "extracted": [str(number + (not one)) for number, one in enumerate(right)],
        "score": [float(one) for one in right],
        "tokens": [60] * items,
        "finish_reason": ["stop"] * items,
        "details": ["{}"] * items,
    }))  # fmt: skip


def _rows(draw: random.Random) -> list[dict[str, Any]]:
    return [
        {"prompt": f"{_text(draw, 20)} {number}?", "completion": f"{_text(draw, 40)} #### {number}"}
        for number in range(ROWS)
    ]


def _text(draw: random.Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words))


def main() -> None:
    """Measure, write the result and print its figures."""
    sizes = {
        "arms": (8, "arms besides control"),
        "seeds": (5, "seeds of each"),
        "benchmarks": (10, "benchmarks"),
        "items": (1000, "items of each"),
        "runs": (3, "runs"),
    }
    run = results_file.begin("report_speed", __doc__, sizes)
    given = run.given
    asked = [str(number) for number in (given.arms, given.seeds, given.benchmarks, given.items)]
    done = [
        json.loads(subprocess.run([sys.executable, "-c", CHILD, *asked], check=True, capture_output=True).stdout)
        for _ in range(given.runs)
    ]
    figures = {
        "seconds": round(statistics.median(one["seconds"] for one in done), 2),
        "seconds_compiling": round(statistics.median(one["compiling"] for one in done), 2),
        "memory_gib": round(max(one["memory_gib"] for one in done), 3),
        "html_mb": round(done[0]["html"] / 1e6, 2),
    }
    run.write(figures, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()

"""Small plans for tests: two arms, two seeds, two benchmarks, unless said otherwise."""

from __future__ import annotations

from typing import Any

from assay_scheduler.findings import Findings
from assay_scheduler.planner import plan_experiment
from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.results import Plan

MODEL = ModelRef(uri="memory://x/models/m", digest="a" * 64)
ID = "00000000-0000-5000-8000-000000000000"


def dataset(letter: str) -> DatasetRef:
    return DatasetRef(uri=f"memory://x/datasets/{letter}", digest=letter * 64, rows=3)


def document(**changes: Any) -> dict[str, Any]:
    return {
        "base_model": "/m",
        "training": {"algorithm": "SFT", "hyperparameters": {"steps": 10}},
        "arms": [{"name": "one", "dataset": "/1"}, {"name": "two", "dataset": "/2"}],
        "seeds": [0, 1],
        "benchmarks": [
            {"name": "exact_match", "parameters": {"dataset": "/i"}},
            {"name": "perplexity", "parameters": {"dataset": "/i"}},
        ],
        **changes,
    }


def plan(data: dict[str, str] | None = None, references: dict[str, ModelRef] | None = None, **changes: Any) -> Plan:
    letters = data or {"one": "b", "two": "c"}
    spec = ExperimentSpec.model_validate(document(**changes))
    items = {place: dataset("d") for place in range(len(spec.benchmarks))}
    findings = Findings(
        MODEL, {name: dataset(letter) for name, letter in letters.items()}, items, references=references or {}
    )
    return plan_experiment(spec, findings, experiment_id=ID, owner="o")

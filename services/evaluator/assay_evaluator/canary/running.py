"""Asks the canary's model the canary's items, by the same code as any evaluation.

Never compares and never stores; what it gives is plain values.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from assay_schemas.benchmarks import OWN_BENCHMARKS, HarnessTaskParameters

from assay_evaluator.scoring import Scored

KEPT = ("item_id", "sample_index", "prompt", "target", "response", "extracted", "score", "tokens", "finish_reason",
        "logprob", "error")  # fmt: skip
Case = dict[str, Any]


def cases() -> list[Case]:
    """Each benchmark with its parameters and rows."""
    found: list[Case] = json.loads((resources.files("assay_evaluator.canary") / "cases.json").read_bytes())
    return found


def responses(folder: Path, cache: Path, wanted: list[Case]) -> dict[str, list[dict[str, Any]]]:
    """What the model in the folder answers to each case, sample by sample."""
    from assay_evaluator.engines import open_engine
    from assay_evaluator.engines.base import EngineSettings
    from assay_evaluator.progress import EvaluationProgress

    lm = open_engine("transformers", EngineSettings(folder=folder), EvaluationProgress(lambda _: None))
    return {case["benchmark"]: _samples(_scored(lm, cache, case)) for case in wanted}


def _scored(lm: Any, cache: Path, case: Case) -> Scored:
    name, rows = case["benchmark"], case["rows"]
    if name in OWN_BENCHMARKS:
        from assay_evaluator.benchmarks import BENCHMARKS
        from assay_evaluator.items import ordered_items
        from assay_evaluator.own import evaluate_own

        parameters: Any = OWN_BENCHMARKS[name].parameters.model_validate(case["parameters"])
        return evaluate_own(lm, name, BENCHMARKS[name](parameters), parameters, ordered_items(rows), limit=None, seed=0)
    from assay_evaluator.harness import evaluate_harness
    from assay_evaluator.task_names import task_manager

    given = HarnessTaskParameters.model_validate(case["parameters"])
    return evaluate_harness(lm, task_manager(cache / "harness"), name, given, rows, limit=None, seed=0)


def _samples(scored: Scored) -> list[dict[str, Any]]:
    return [
        {**sample.model_dump(include=set(KEPT)), "details": json.loads(sample.details)} for sample in scored.samples
    ]

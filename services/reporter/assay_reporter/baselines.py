"""What the untouched base model scored before: the same model on the same questions should score the same again.

Pure; a baseline that moved tells of libraries, number formats or devices, never of data.
"""

from __future__ import annotations

from collections.abc import Mapping

from assay_schemas.canonical import digest_of
from assay_schemas.experiments import CONTROL
from assay_schemas.results import EvalResult

from assay_reporter.evidence import Baseline, Evidence


def baselines_of(evidence: Evidence) -> dict[str, Baseline]:
    """Control's score by benchmark id; a benchmark without one has none."""
    found = {}
    for benchmark in evidence.plan.benchmarks:
        for replicate, evaluated in evidence.evaluated(benchmark):
            metric = evaluated.result.metrics.get(evaluated.result.primary)
            if replicate.arm == CONTROL and metric is not None and not evaluated.result.items_failed:
                width = (metric.interval[1] - metric.interval[0]) / 2 if metric.interval else None
                at, identity = evaluated.result.completed_at, evidence.plan.experiment_id
                found[benchmark.id] = Baseline(key_of(evaluated.result), identity, metric.value, width, at)
    return found


def key_of(result: EvalResult) -> str:
    """The same for the same questions to the same model: model, benchmark, harness version, engine, parameters, items.

    Number format, device and libraries are left out on purpose: what they change should be seen.
    """
    asked = result.inputs.model_dump(mode="json", include={"benchmark", "harness_version", "engine", "parameters",
                                                           "split", "limit"})  # fmt: skip
    return digest_of({**asked, "model": result.model.digest, "items": result.data_digest or result.inputs.items})


def moved(now: Baseline, before: Baseline, smallest_effect: float, parameters: Mapping[str, object]) -> bool:
    """Whether the score differs by more than the smallest effect of interest; where answers are drawn at random, by
    more than the two intervals allow as well."""
    allowed = smallest_effect
    if parameters.get("temperature") and now.half_width is not None and before.half_width is not None:
        allowed = max(allowed, (now.half_width**2 + before.half_width**2) ** 0.5)
    return abs(now.value - before.value) > allowed

"""All that a report rests on, read once from the object store: plan, ends, manifests, samples, curves.

Reads only what `experiment.completed` references; decides nothing.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from assay_chassis.object_store import ObjectStore
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.results import (
    EvalResult,
    ExperimentResult,
    JobEnd,
    Plan,
    PlannedBenchmark,
    PlannedReplicate,
    SelectionResult,
    TrainingResult,
)

from assay_reporter.diagnosis.rows import words_of
from assay_reporter.diagnosis.sheet import fingerprint

if TYPE_CHECKING:
    import pyarrow as pa

PARALLEL_READS = 16


@dataclass(frozen=True)
class Evaluated:
    """One replicate on one benchmark: its manifest and its samples."""

    result: EvalResult
    samples: pa.Table


@dataclass(frozen=True)
class TrainingRows:
    """Rows of one snapshot, `total` of which exist: all of them where it is small, otherwise a sample."""

    rows: list[dict[str, Any]]
    total: int

    @cached_property
    def words(self) -> list[list[str]]:
        """The words of each row in lower case, read once for all that looks at them."""
        return [words_of(row) for row in self.rows]

    @cached_property
    def plain(self) -> Callable[[str], str]:
        """`fingerprint`, which remembers the texts that it has read."""
        return cache(fingerprint)


@dataclass(frozen=True)
class Baseline:
    """A score of the base model on one benchmark. half_width: of its 95 % interval over items, where it has one."""

    key: str
    experiment_id: str
    value: float
    half_width: float | None
    measured_at: datetime


@dataclass(frozen=True)
class Evidence:
    """An ended experiment with everything its jobs left behind; what failed is simply not there.

    `trainings`, `selections`, `evaluations`, `curves` by job key; `rows` by the digest of the arm's snapshot.
    `baselines`: what control scored when it was first asked, by benchmark id.
    `overlaps`: by the URI of an evaluation's overlap, the share of each item's n-grams that a training row has.
    `unsaid`: how many stopped attempts never told what they took.
    """

    plan: Plan
    result: ExperimentResult
    trainings: Mapping[str, TrainingResult] = field(default_factory=dict)
    selections: Mapping[str, SelectionResult] = field(default_factory=dict)
    evaluations: Mapping[str, Evaluated] = field(default_factory=dict)
    curves: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    rows: Mapping[str, TrainingRows] = field(default_factory=dict)
    overlaps: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    baselines: Mapping[str, Baseline] = field(default_factory=dict)
    unsaid: int = 0

    def end(self, key: str | None) -> JobEnd | None:
        """How the job with this key ended, or None where it is not part of the experiment."""
        return next((end for end in self.result.ends if end.key == key), None)

    def evaluated(self, benchmark: PlannedBenchmark) -> Iterable[tuple[PlannedReplicate, Evaluated]]:
        """Every replicate that has samples on a benchmark, in the plan's order."""
        for replicate in self.plan.replicates:
            found = self.evaluations.get(replicate.evals.get(benchmark.id, ""))
            if found is not None:
                yield replicate, found


async def gather_evidence(store: ObjectStore, result: ExperimentResult) -> Evidence:
    """Reads everything an experiment's result references, several objects at a time.

    Raises the store's errors when an object is missing or not what its reference says.
    """
    from pyarrow import parquet

    gate = asyncio.Semaphore(PARALLEL_READS)

    async def read(ref: ArtifactRef) -> bytes:
        async with gate:
            return await store.get_bytes(ref)

    plan = Plan.model_validate_json(await read(result.plan))
    ends = [end for end in result.ends if end.outcome == "succeeded" and end.result is not None]
    texts = await asyncio.gather(*(read(end.result) for end in ends if end.result))
    manifests = {end.key: (end.kind, text) for end, text in zip(ends, texts, strict=True)}
    trainings = {k: TrainingResult.model_validate_json(t) for k, (kind, t) in manifests.items() if kind == "training"}
    selections = {
        k: SelectionResult.model_validate_json(t) for k, (kind, t) in manifests.items() if kind == "selection"
    }
    evals = {k: EvalResult.model_validate_json(t) for k, (kind, t) in manifests.items() if kind == "eval"}
    tables = await asyncio.gather(*(read(one.samples) for one in evals.values()))
    logged = {key: one.metrics for key, one in trainings.items() if one.metrics is not None}
    curves = await asyncio.gather(*(read(ref) for ref in logged.values()))
    found = Evidence(
        plan=plan,
        result=result,
        trainings=trainings,
        selections=selections,
        evaluations={
            # Not `read_table`, which loads pandas: two seconds for a start.
            key: Evaluated(one, parquet.ParquetFile(io.BytesIO(data)).read())
            for (key, one), data in zip(evals.items(), tables, strict=True)
        },
        curves={key: _records(data) for key, data in zip(logged, curves, strict=True)},
    )
    return with_leading_metrics(found)


def with_leading_metrics(evidence: Evidence) -> Evidence:
    """Names the metric that leads where only the harness knows it: a task's own, said by its results."""
    benchmarks = [_with_leading_metric(evidence, benchmark) for benchmark in evidence.plan.benchmarks]
    return replace(evidence, plan=evidence.plan.model_copy(update={"benchmarks": benchmarks}))


def _with_leading_metric(evidence: Evidence, benchmark: PlannedBenchmark) -> PlannedBenchmark:
    result = next((evaluated.result for _, evaluated in evidence.evaluated(benchmark)), None)
    if benchmark.primary or result is None:
        return benchmark
    direction = result.metrics[result.primary].higher_is_better
    return benchmark.model_copy(update={"primary": result.primary, "higher_is_better": direction})


def _records(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines() if line.strip()]

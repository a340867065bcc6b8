"""One attempt at an evaluation: a request in, a result manifest in the object store out.

Runs in a process of its own; never talks to the broker, and leaves no manifest unless all of it succeeded.
"""

from __future__ import annotations

import logging
import resource
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from assay_chassis.job_service.records import manifest_bytes
from assay_chassis.object_store import StoreSettings, SyncObjectStore
from assay_schemas.artifacts import ArtifactRef, manifest_key, result_prefix
from assay_schemas.benchmarks import BenchmarkParameters, HarnessTaskParameters, OwnParameters, definition_of
from assay_schemas.jobs import EvalRequest, Usage
from assay_schemas.problems import problems_of
from assay_schemas.results import Contamination, EvalResult
from pydantic import ValidationError

from assay_evaluator.benchmarks import BENCHMARKS, OF_SCORERS
from assay_evaluator.contamination.checking import contamination_of
from assay_evaluator.engines import ENGINES, is_scorer, open_engine
from assay_evaluator.engines.base import EngineSettings
from assay_evaluator.failures import bad_input, classified
from assay_evaluator.inputs import model_folder, read_rows
from assay_evaluator.items import ordered_items
from assay_evaluator.progress import EvaluationProgress, Stopped
from assay_evaluator.samples import MEDIA_TYPE, samples_to_parquet
from assay_evaluator.scoring import Scored
from assay_evaluator.settings import EvaluatorSettings

if TYPE_CHECKING:
    from assay_chassis.compute import JobContext

LIBRARIES = ("lm_eval", "torch", "transformers", "tokenizers", "datasets", "numpy")
KIB_PER_GIB = 2**20
log = logging.getLogger(__name__)


def run(context: JobContext) -> None:
    """Do the evaluation that the context's payload, an EvalRequest, asks for; leaves nothing when asked to end."""
    request = EvalRequest.model_validate(context.payload)
    progress = EvaluationProgress(context.report_progress, context.should_stop)
    try:
        with classified(), SyncObjectStore(StoreSettings()) as store:
            result = evaluate(request, store, EvaluatorSettings().cache_folder, progress)
            key = manifest_key(result.job_key, result.attempt)
            store.put_bytes(key, manifest_bytes(result), media_type="application/json")
    except Stopped:
        log.info("asked to end before the evaluation was done")
        return
    context.finish({"cpu_s": result.usage.cpu_s})


def evaluate(request: EvalRequest, store: SyncObjectStore, cache: Path, progress: EvaluationProgress) -> EvalResult:
    """Evaluate, store every sample, and return the manifest, which is still to be written.

    Raises JobFailed for every end that is the job's own, and Stopped where `progress` was asked to end.
    """
    began, cpu_began = time.monotonic(), time.process_time()
    progress.phase("starting")
    scored = _score(request, store, cache, progress)
    if scored.items_failed == scored.items:
        first = next((sample.error for sample in scored.samples if sample.error), "it has no items")
        raise bad_input(f"inputs.benchmark: every item of {request.inputs.benchmark} failed: {first}")
    progress.phase("finishing")
    samples = _store_samples(store, request, scored)
    contamination = contamination_of(store, request.inputs, scored.texts, progress.beat)
    wall_s = time.monotonic() - began
    usage = Usage(
        wall_s=wall_s,
        cpu_s=time.process_time() - cpu_began,
        gpu_s=wall_s * request.hardware.gpus,
        peak_memory_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GIB,
        tokens=sum(sample.tokens for sample in scored.samples),
    )
    return _manifest(request, scored, samples, contamination, usage)


def _score(request: EvalRequest, store: SyncObjectStore, cache: Path, progress: EvaluationProgress) -> Scored:
    inputs = request.inputs
    parameters = _parameters(request)
    rows = read_rows(store, request.items) if request.items else None
    settings = EngineSettings(
        folder=model_folder(store, request.model, cache / "models"),
        dtype=inputs.dtype,
        device=_device(request.hardware.gpus),
        batch_size=parameters.batch_size,
    )
    benchmarks = OF_SCORERS if is_scorer(settings.folder) else BENCHMARKS
    if benchmarks is OF_SCORERS and inputs.benchmark not in benchmarks:
        raise bad_input(
            f"inputs.benchmark: {inputs.benchmark} needs text, and this is a reward model; use {', '.join(benchmarks)}"
        )
    lm = open_engine(inputs.engine, settings, progress)
    if isinstance(parameters, HarnessTaskParameters):
        from assay_evaluator.harness import evaluate_harness
        from assay_evaluator.task_names import task_manager

        manager = task_manager(cache / "harness")
        return evaluate_harness(lm, manager, inputs.benchmark, parameters, rows, limit=inputs.limit, seed=inputs.seed)
    from assay_evaluator.own import evaluate_own

    if rows is None or not isinstance(parameters, OwnParameters):
        raise bad_input("items: are missing; give parameters.dataset, a file of items")
    benchmark = benchmarks[inputs.benchmark](parameters)
    return evaluate_own(
        lm,
        inputs.benchmark,
        benchmark,
        parameters,
        ordered_items(rows),
        limit=inputs.limit,
        seed=inputs.seed,
    )


def _parameters(request: EvalRequest) -> BenchmarkParameters:
    """The benchmark's parameters, typed. Raises JobFailed for a benchmark, version, engine or value unknown here."""
    inputs = request.inputs
    here = f"lm-eval-{version('lm_eval')}"
    if inputs.harness_version != here:
        raise bad_input(f"inputs.harness_version: {inputs.harness_version} is not installed here; use {here}")
    if inputs.engine not in ENGINES:
        raise bad_input(f"inputs.engine: {inputs.engine} is not available yet; use {', '.join(ENGINES)}")
    definition = definition_of(inputs.benchmark, inputs.harness_version)
    if definition is None or not (definition.scored_on == "harness" or definition.name in BENCHMARKS):
        raise bad_input(f"inputs.benchmark: {inputs.benchmark!r} is not known here; use {', '.join(BENCHMARKS)}")
    try:
        return definition.parameters.model_validate(inputs.parameters)
    except ValidationError as error:
        problems = problems_of(error, definition.parameters, "parameters")
        raise bad_input("; ".join(map(str, problems))) from error


def _device(gpus: int) -> str:
    """Where the model computes. Raises JobFailed when a GPU was promised and none is there."""
    if not gpus:
        return "cpu"
    import torch

    if not torch.cuda.is_available():
        raise bad_input("hardware.gpus: this machine has no usable GPU; ask for 0, or run where there is one")
    return "cuda"


def _store_samples(store: SyncObjectStore, request: EvalRequest, scored: Scored) -> ArtifactRef:
    key = f"{result_prefix(request.job_key, request.attempt)}/samples.parquet"
    return store.put_bytes(key, samples_to_parquet(scored.samples), media_type=MEDIA_TYPE)


def _manifest(
    request: EvalRequest, scored: Scored, samples: ArtifactRef, contamination: Contamination | None, usage: Usage
) -> EvalResult:
    return EvalResult(
        job_key=request.job_key,
        attempt=request.attempt,
        completed_at=datetime.now(UTC),
        usage=usage,
        libraries={name: version(name) for name in LIBRARIES},
        inputs=request.inputs,
        model=request.model,
        metrics=scored.metrics,
        primary=scored.primary,
        samples=samples,
        items=scored.items,
        items_failed=scored.items_failed,
        prompt_digest=scored.prompt_digest,
        contamination=contamination,
    )

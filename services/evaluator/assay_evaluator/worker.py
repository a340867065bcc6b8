"""One attempt at an evaluation: a request in, a result manifest in the object store out.

Runs in a process of its own; never talks to the broker, and leaves no manifest unless all of it succeeded.
"""

from __future__ import annotations

import logging
import resource
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from assay_chassis.compute.metering import Meter
from assay_chassis.job_service.records import has_ended, manifest_bytes
from assay_chassis.object_store import StoreSettings, SyncObjectStore
from assay_schemas.artifacts import ArtifactRef, manifest_key, result_prefix
from assay_schemas.canonical import digest_of
from assay_schemas.endpoints import is_endpoint
from assay_schemas.jobs import EvalRequest, SelectionRequest, Usage
from assay_schemas.results import Contamination, EvalResult, SelectionResult

from assay_evaluator.contamination.checking import contamination_of
from assay_evaluator.contamination.membership import membership_of, stored
from assay_evaluator.engines.resident import ResidentEngine
from assay_evaluator.evaluation import device_of, made_ready
from assay_evaluator.failures import bad_input, classified
from assay_evaluator.fanout.opening import resident_on
from assay_evaluator.inputs import model_folder
from assay_evaluator.progress import EvaluationProgress, Stopped
from assay_evaluator.samples import samples_to_parquet
from assay_evaluator.scoring import Scored
from assay_evaluator.settings import EvaluatorSettings
from assay_evaluator.tables import MEDIA_TYPE
from assay_evaluator.version import library_versions

if TYPE_CHECKING:
    from assay_chassis.compute import JobContext

KIB_PER_GIB = 2**20
log = logging.getLogger(__name__)
Request = TypeVar("Request", EvalRequest, SelectionRequest)


def run(context: JobContext) -> None:
    """Do the evaluation that the context's payload, an EvalRequest, asks for; leaves nothing when asked to end."""
    carry_out(context, EvalRequest.model_validate(context.payload), evaluate)


def carry_out(
    context: JobContext,
    request: Request,
    work: Callable[[Request, SyncObjectStore, Path, EvaluationProgress], EvalResult | SelectionResult],
) -> None:
    """Do the work of a request and write its manifest; no manifest when asked to end."""
    progress = EvaluationProgress(context.report_progress, context.should_stop)
    try:
        with classified(), SyncObjectStore(StoreSettings()) as store:
            if has_ended(store, request.job_key, request.attempt):
                log.info("this attempt has ended before: nothing is done again")
            else:
                write_manifest(store, work(request, store, EvaluatorSettings().cache_folder, progress))
    except Stopped:
        log.info("asked to end before the work was done")
        return
    context.finish({})


def write_manifest(store: SyncObjectStore, result: EvalResult | SelectionResult) -> None:
    """Write it last: from then on the attempt has succeeded."""
    key = manifest_key(result.job_key, result.attempt)
    store.put_bytes(key, manifest_bytes(result), media_type="application/json")


def evaluate(
    request: EvalRequest,
    store: SyncObjectStore,
    cache: Path,
    progress: EvaluationProgress,
    engine: ResidentEngine | None = None,
) -> EvalResult:
    """Evaluate, store every sample, and return the manifest, which is still to be written.

    With `engine`, one that other evaluations have used may be used again.

    Raises JobFailed for every end that is the job's own, and Stopped where `progress` was asked to end.
    """
    meter = Meter(request.hardware.gpus)
    engine = engine or resident_on(request.hardware, progress)
    progress.phase("starting")
    evaluation = made_ready(request.inputs, request.items, store, cache)
    folder = _folder_of(request, store, cache)
    settings = evaluation.engine_settings(folder, device_of(request.hardware.gpus))
    lm = engine.on(request.inputs.engine, settings)
    scored = evaluation.score(lm, folder)
    if scored.items_failed == scored.items:
        first = next((sample.error for sample in scored.samples if sample.error), "it has no items")
        raise bad_input(f"inputs.benchmark: every item of {request.inputs.benchmark} failed: {first}")
    share = evaluation.parameters.min_k
    familiar = None if share is None else membership_of(lm, scored.texts, share)
    progress.phase("finishing")
    samples = _store_samples(store, request, scored)
    contamination = contamination_of(store, request.inputs, scored.texts, progress.beat)
    usage = meter.usage(
        peak_memory_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GIB,
        tokens=sum(sample.tokens for sample in scored.samples),
    )
    result = _manifest(request, scored, samples, contamination, usage)
    if familiar is None or share is None:
        return result
    key = f"{result_prefix(request.job_key, request.attempt)}/membership.parquet"
    return result.model_copy(update={"membership": stored(store, key, familiar, share)})


def _folder_of(request: EvalRequest, store: SyncObjectStore, cache: Path) -> Path:
    """The model's folder; for a model behind an API its name takes the place. Raises JobFailed."""
    behind_api = is_endpoint(request.model.uri)
    if behind_api != (request.inputs.engine == "endpoint"):
        raise bad_input(f"inputs.engine: {request.inputs.engine} cannot ask {request.model.uri}; plan it again")
    return Path(request.model.uri) if behind_api else model_folder(store, request.model, cache / "models")


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
        libraries=library_versions(request.inputs.engine),
        inputs=request.inputs,
        model=request.model,
        metrics=scored.metrics,
        primary=scored.primary,
        samples=samples,
        items=scored.items,
        items_failed=scored.items_failed,
        prompt_digest=scored.prompt_digest,
        data_digest=request.inputs.items or digest_of(sorted({sample.item_id for sample in scored.samples})),
        contamination=contamination,
    )

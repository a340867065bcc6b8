"""One attempt at a selection by benchmark: every checkpoint of a training scored, on items that are never reported.

One engine serves all checkpoints. Leaves no manifest unless all of it succeeded.
"""

from __future__ import annotations

import logging
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from assay_chassis.compute.metering import Meter
from assay_chassis.object_store import SyncObjectStore
from assay_schemas.artifacts import ArtifactRef, CheckpointRef, ModelRef, result_prefix
from assay_schemas.jobs import EvalInputs, SelectionRequest
from assay_schemas.results import Metric, SelectionResult

from assay_evaluator.choosing import training_of
from assay_evaluator.evaluation import device_of, made_ready
from assay_evaluator.failures import bad_input, broken
from assay_evaluator.fanout.opening import resident_on
from assay_evaluator.inputs import model_folder
from assay_evaluator.progress import EvaluationProgress
from assay_evaluator.samples import samples_to_parquet
from assay_evaluator.scoring import Scored
from assay_evaluator.selection import best_scored
from assay_evaluator.tables import MEDIA_TYPE
from assay_evaluator.version import library_versions
from assay_evaluator.worker import KIB_PER_GIB, carry_out

if TYPE_CHECKING:
    from assay_chassis.compute import JobContext

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A checkpoint with what it scored; no metric where nothing could be scored, or more items failed than may."""

    checkpoint: CheckpointRef
    primary: str
    metric: Metric | None
    items: int
    samples: ArtifactRef


def run(context: JobContext) -> None:
    """Do the selection that the context's payload, a SelectionRequest, asks for; leaves nothing when asked to end."""
    carry_out(context, SelectionRequest.model_validate(context.payload), select)


def select(
    request: SelectionRequest, store: SyncObjectStore, cache: Path, progress: EvaluationProgress
) -> SelectionResult:
    """Score every checkpoint, store every sample, and return the manifest, which is still to be written.

    Raises JobFailed for every end that is the job's own, and Stopped where `progress` was asked to end.
    """
    meter = Meter(request.hardware.gpus)
    declared = request.inputs.evaluation
    if declared is None or declared.split is None or declared.split.side != "selection":
        raise bad_input("inputs.evaluation: names no items apart from the reported ones; plan the experiment again")
    progress.phase("starting")
    training = training_of(request, store.get_bytes(request.training_result))
    candidates = _candidates(
        request, declared, [saved.checkpoint for saved in training.checkpoints], store, cache, progress
    )
    scores = {one.checkpoint.step: one.metric.value if one.metric else None for one in candidates}
    leading = next((one for one in candidates if one.metric is not None), None)
    if leading is None or leading.metric is None:
        raise broken(f"inputs.evaluation: no checkpoint could be scored on {declared.benchmark}")
    higher = leading.metric.higher_is_better
    choice = best_scored([one.checkpoint for one in candidates], scores, leading.primary, higher_is_better=higher)
    return SelectionResult(
        job_key=request.job_key,
        attempt=request.attempt,
        completed_at=datetime.now(UTC),
        usage=meter.usage(peak_memory_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GIB),
        libraries=library_versions(declared.engine),
        inputs=request.inputs,
        checkpoint=choice.checkpoint,
        scores=choice.scores,
        reason=f"{choice.reason}; on {leading.items} items of {declared.benchmark} that are not reported",
        metric=leading.primary,
        higher_is_better=higher,
        items=leading.items,
        samples={one.checkpoint.step: one.samples for one in candidates},
    )


def _candidates(
    request: SelectionRequest,
    declared: EvalInputs,
    checkpoints: list[CheckpointRef],
    store: SyncObjectStore,
    cache: Path,
    progress: EvaluationProgress,
) -> list[Candidate]:
    evaluation = made_ready(declared, request.items, store, cache)
    device, engine = device_of(request.hardware.gpus), resident_on(request.hardware, progress)
    found = []
    for checkpoint in checkpoints:
        folder = model_folder(store, ModelRef(uri=checkpoint.uri, digest=checkpoint.digest), cache / "models")
        lm = engine.on(declared.engine, evaluation.engine_settings(folder, device))
        scored = evaluation.score(lm, folder)
        samples = _store_samples(store, request, checkpoint.step, scored)
        metrics: Mapping[str, Metric] = scored.metrics
        failed_too_much = scored.items_failed > evaluation.parameters.most_failed * scored.items
        metric = None if failed_too_much else metrics.get(scored.primary)
        found.append(Candidate(checkpoint, scored.primary, metric, scored.items, samples))
    return found


def _store_samples(store: SyncObjectStore, request: SelectionRequest, step: int, scored: Scored) -> ArtifactRef:
    key = f"{result_prefix(request.job_key, request.attempt)}/samples-{step:08d}.parquet"
    return store.put_bytes(key, samples_to_parquet(scored.samples), media_type=MEDIA_TYPE)

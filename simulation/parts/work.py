"""What simulated jobs leave behind: the manifests that a real worker would have written, without the work.

Never depends on anything but the job's declared inputs, so that equal keys are equal work.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from assay_schemas.artifacts import ArtifactRef, CheckpointRef, checkpoint_prefix
from assay_schemas.canonical import digest_of, sha256_hex
from assay_schemas.events import REQUEST_TOPIC, payload
from assay_schemas.jobs import EvalRequest, JobRequest, TrainingRequest, Usage
from assay_schemas.results import EvalResult, Manifest, Metric, SavedCheckpoint, TrainingResult

NOTHING = sha256_hex(b"")


def request_of(kind: str, data: dict[str, Any]) -> JobRequest:
    """The request that a run was made from."""
    request = payload(REQUEST_TOPIC[kind], data)  # type: ignore[index]
    assert isinstance(request, JobRequest)
    return request


def manifest_of(request: JobRequest, root: str, at: datetime) -> Manifest:
    """The result of the work that a request asks for, done in its attempt."""
    key, attempt = request.job_key, request.attempt
    common: dict[str, Any] = {"job_key": key, "attempt": attempt, "completed_at": at, "usage": Usage(wall_s=1.0)}
    match request:
        case TrainingRequest():
            weights = digest_of({"inputs": request.inputs.model_dump(mode="json")})
            uri = f"{root}/{checkpoint_prefix(key, attempt, 10)}"
            saved = SavedCheckpoint(checkpoint=CheckpointRef(uri=uri, digest=weights, step=10), validation_loss=1.0)
            return TrainingResult(
                **common, inputs=request.inputs, checkpoints=[saved], steps=10, rows=8, validation_rows=2
            )
        case EvalRequest():
            samples = ArtifactRef(uri=f"{root}/results/{key}/{attempt}/samples.parquet", sha256=NOTHING, size=0)
            metrics = {"accuracy": Metric(value=0.5, items=4)}
            return EvalResult(
                **common,
                inputs=request.inputs,
                model=request.model,
                metrics=metrics,
                primary="accuracy",
                samples=samples,
                items=4,
            )
    raise TypeError(f"{type(request).__name__} does not run on a backend")

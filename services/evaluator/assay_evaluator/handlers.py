"""What the evaluator does about an event: what asks a model runs on the backend, other selections on the spot.

The job service of the chassis has the handlers themselves; here is only what is the evaluator's own.
"""

from __future__ import annotations

from assay_chassis.compute import JobRun
from assay_chassis.job_service import JobType
from assay_chassis.object_store import ObjectStore
from assay_schemas.events import CheckpointSelected, EvalCompleted
from assay_schemas.jobs import EvalRequest, JobRequest, SelectionRequest
from assay_schemas.results import EvalResult, SelectionResult

from assay_evaluator.choosing import Chooser
from assay_evaluator.inputs import unwanted_key

PRELOAD = ("assay_evaluator.warm",)


def harness_of(request: JobRequest) -> str:
    """The harness that must do it, as the job's key says; empty where none is needed."""
    if isinstance(request, EvalRequest):
        return request.inputs.harness_version
    evaluation = SelectionRequest.model_validate(request.model_dump()).inputs.evaluation
    return evaluation.harness_version if evaluation else ""


def company_of(request: JobRequest) -> str:
    """Evaluations that may share a run: same engine, harness, hardware and priority. Another attempt goes alone, so
    that whatever takes a run down does so once; a model behind an API has no weights to exchange."""
    evaluation = EvalRequest.model_validate(request.model_dump())
    inputs = evaluation.inputs
    if evaluation.attempt > 1 or inputs.engine == "endpoint":
        return ""
    hardware = evaluation.hardware.model_dump_json()
    return f"{inputs.engine} {inputs.harness_version} {inputs.dtype} {evaluation.priority} {hardware}"


async def ask_to_end(store: ObjectStore, run: JobRun) -> None:
    """Leave word, where a shared run's process looks, that one of its evaluations is not wanted."""
    await store.put_bytes(unwanted_key(run), b"", media_type="text/plain")


EVALUATION = JobType(
    kind="eval",
    request=EvalRequest,
    manifest=EvalResult,
    completed=EvalCompleted,
    entrypoint="assay_evaluator.worker:run",
    version_of=harness_of,
    shared_entrypoint="assay_evaluator.sharing:run",
    company=company_of,
)


def needs_no_model(request: JobRequest) -> bool:
    """Whether a selection follows from the training's result alone."""
    return SelectionRequest.model_validate(request.model_dump()).inputs.policy != "best_benchmark"


def selection(store: ObjectStore) -> JobType:
    """Selections: from the training results in this store, or on the backend where checkpoints are to be scored."""
    return JobType(
        kind="selection",
        request=SelectionRequest,
        manifest=SelectionResult,
        completed=CheckpointSelected,
        inline=Chooser(store),
        entrypoint="assay_evaluator.checkpoints:run",
        version_of=harness_of,
        is_quick=needs_no_model,
    )

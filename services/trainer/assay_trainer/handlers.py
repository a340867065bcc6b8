"""What the trainer does about an event: one kind of job, run by the worker on the compute backend.

The job service of the chassis has the handlers themselves; here is only what is the trainer's own.
"""

from __future__ import annotations

from assay_chassis.job_service import JobType
from assay_schemas.events import TrainingCompleted
from assay_schemas.jobs import JobRequest, TrainingRequest
from assay_schemas.results import TrainingResult


def engine_version(request: JobRequest) -> str:
    """The engine that must train it, as the job's key says."""
    return TrainingRequest.model_validate(request.model_dump()).inputs.engine_version


TRAINING = JobType(
    kind="training",
    request=TrainingRequest,
    manifest=TrainingResult,
    completed=TrainingCompleted,
    entrypoint="assay_trainer.worker:run",
    version_of=engine_version,
)
PRELOAD = ("assay_trainer.worker", "assay_trainer.architectures")

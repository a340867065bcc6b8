"""The evaluator as a service: which jobs it does, where, and what its processes are warmed up with.

Only wires parts together; never reads an event itself.
"""

from __future__ import annotations

from assay_chassis.app import ServiceApp
from assay_chassis.compute import ComputeBackend, ComputeSettings, open_backend
from assay_chassis.job_service import JobService, JobType
from assay_chassis.object_store import ObjectStore
from assay_schemas.events import CheckpointSelected, EvalCompleted
from assay_schemas.jobs import EvalRequest, SelectionRequest
from assay_schemas.results import EvalResult, SelectionResult

from assay_evaluator.choosing import Chooser
from assay_evaluator.settings import EvaluatorSettings

NAME = "evaluator"
ENTRYPOINT = "assay_evaluator.worker:run"
PRELOAD = ("assay_evaluator.warm",)


def job_types(store: ObjectStore) -> tuple[JobType, JobType]:
    """Evaluations, each in a process of its own, and selections, done in the handler."""
    return (
        JobType(
            kind="eval",
            request=EvalRequest,
            manifest=EvalResult,
            completed=EvalCompleted,
            entrypoint=ENTRYPOINT,
        ),
        JobType(
            kind="selection",
            request=SelectionRequest,
            manifest=SelectionResult,
            completed=CheckpointSelected,
            inline=Chooser(store),
        ),
    )


def open_evaluation_backend(settings: EvaluatorSettings) -> ComputeBackend:
    """The compute backend, whose jobs find store and cache by absolute paths: each runs in a folder of its own."""
    environment = {"ASSAY_EVALUATION_CACHE": str(settings.evaluation_cache.absolute())}
    return open_backend(ComputeSettings(), NAME, preload=PRELOAD, environment=environment)


def build_app(
    settings: EvaluatorSettings, *, app: ServiceApp | None = None, backend: ComputeBackend | None = None
) -> ServiceApp:
    """The service, not yet running. `app` and `backend` replace the real ones in tests."""
    service = app or ServiceApp(NAME, settings)
    JobService.of(service, backend or open_evaluation_backend(settings), job_types(service.store))
    return service

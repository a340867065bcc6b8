"""What the evaluator does about an event: evaluations run by the worker, selections done on the spot.

The job service of the chassis has the handlers themselves; here is only what is the evaluator's own.
"""

from __future__ import annotations

from assay_chassis.job_service import JobType
from assay_chassis.object_store import ObjectStore
from assay_schemas.events import CheckpointSelected, EvalCompleted
from assay_schemas.jobs import EvalRequest, SelectionRequest
from assay_schemas.results import EvalResult, SelectionResult

from assay_evaluator.choosing import Chooser

PRELOAD = ("assay_evaluator.warm",)
EVALUATION = JobType(
    kind="eval",
    request=EvalRequest,
    manifest=EvalResult,
    completed=EvalCompleted,
    entrypoint="assay_evaluator.worker:run",
)


def selection(store: ObjectStore) -> JobType:
    """Selections, answered from the training results in this store."""
    return JobType(
        kind="selection",
        request=SelectionRequest,
        manifest=SelectionResult,
        completed=CheckpointSelected,
        inline=Chooser(store),
    )

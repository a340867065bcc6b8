"""A selection job, done where it is asked for: reads a training's result, chooses, and gives the manifest.

Takes milliseconds, so it needs no process; never looks at weights.
"""

from __future__ import annotations

from datetime import UTC, datetime

from assay_chassis.job_service.failures import JobFailed
from assay_chassis.object_store import ObjectDamaged, ObjectNotFound, ObjectStore
from assay_schemas.jobs import JobRequest, SelectionRequest
from assay_schemas.results import SelectionResult, TrainingResult
from pydantic import ValidationError

from assay_evaluator.failures import bad_input
from assay_evaluator.selection import PolicyUnavailable, choose


class Chooser:
    """Answers selection requests from the training results in an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def __call__(self, request: JobRequest) -> SelectionResult:
        """The selection's manifest, still to be written. Raises JobFailed."""
        selection = SelectionRequest.model_validate(request.model_dump())
        training = await self._training(selection)
        try:
            choice = choose(selection.inputs.policy, training.checkpoints)
        except PolicyUnavailable as error:
            raise bad_input(str(error)) from error
        return SelectionResult(
            job_key=selection.job_key,
            attempt=selection.attempt,
            completed_at=datetime.now(UTC),
            inputs=selection.inputs,
            checkpoint=choice.checkpoint,
            scores=choice.scores,
            reason=choice.reason,
        )

    async def _training(self, selection: SelectionRequest) -> TrainingResult:
        reference = selection.training_result
        try:
            result = TrainingResult.model_validate_json(await self._store.get_bytes(reference))
        except (ObjectNotFound, ObjectDamaged) as error:
            raise JobFailed("bad_input", f"training_result: {error}") from error
        except ValidationError as error:
            raise bad_input(f"training_result: {reference.uri} is no training result: {error}") from error
        if result.job_key != selection.inputs.training:
            raise bad_input(
                f"training_result: {reference.uri} is of job {result.job_key}, not of {selection.inputs.training}; "
                "reference the training that the selection is for"
            )
        return result

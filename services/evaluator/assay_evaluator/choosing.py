"""A selection by what the training already knows: reads its result, chooses, and gives the manifest.

Takes milliseconds, so it needs no process; never looks at weights.
"""

from __future__ import annotations

from datetime import UTC, datetime

from assay_chassis.object_store import ObjectDamaged, ObjectNotFound, ObjectStore
from assay_schemas.jobs import JobRequest, SelectionRequest
from assay_schemas.results import SelectionResult, TrainingResult
from pydantic import ValidationError

from assay_evaluator.failures import bad_input
from assay_evaluator.selection import choose


class Chooser:
    """Answers selection requests from the training results in an object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def __call__(self, request: JobRequest) -> SelectionResult:
        """The selection's manifest, still to be written. Raises JobFailed."""
        selection = SelectionRequest.model_validate(request.model_dump())
        training = await self._training(selection)
        choice = choose(selection.inputs.policy, training.checkpoints)
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
            return training_of(selection, await self._store.get_bytes(reference))
        except (ObjectNotFound, ObjectDamaged) as error:
            raise bad_input(f"training_result: {error}") from error


def training_of(selection: SelectionRequest, data: bytes) -> TrainingResult:
    """The training result in `data`. Raises JobFailed where it is none, or another's."""
    reference = selection.training_result
    try:
        result = TrainingResult.model_validate_json(data)
    except ValidationError as error:
        raise bad_input(f"training_result: {reference.uri} is no training result: {error}") from error
    if result.job_key != selection.inputs.training:
        raise bad_input(
            f"training_result: {reference.uri} is of job {result.job_key}, not of {selection.inputs.training}; "
            "reference the training that the selection is for"
        )
    return result

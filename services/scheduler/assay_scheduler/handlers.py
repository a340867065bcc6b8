"""What the scheduler does with each event it consumes.

Thin: an event becomes a happening, or a row to work on later. Long work never runs here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from assay_chassis import telemetry
from assay_chassis.clock import Clock
from assay_chassis.errors import Refused
from assay_chassis.outbox import Transaction
from assay_schemas.envelope import Event
from assay_schemas.events import CheckpointSelected, ExperimentCancelRequested, JobCompleted, payload
from assay_schemas.ids import experiment_id

from assay_scheduler.commander import SOURCE, Commander
from assay_scheduler.lifecycle import UnknownJob
from assay_scheduler.requested import store_request
from assay_scheduler.states import Completed, ExperimentCancelled
from assay_scheduler.store import QUERIES


class Handlers:
    """Handlers of facts and commands, each within its event's transaction."""

    def __init__(self, commander: Commander, clock: Clock, system_user: str) -> None:
        self._commander = commander
        self._clock = clock
        self._system_user = system_user

    async def experiments_requested(self, events: Sequence[Event], tx: Transaction) -> None:
        """Stores the requests, for intake to work on; the same source and id again starts nothing new."""
        for event in events:
            await store_request(
                tx,
                identity=experiment_id(event.source, event.id),
                kind="experiment",
                document=event.data,
                dataschema=event.dataschema,
                owner=self._system_user,
                at=self._clock.now(),
                asked_in=event.traceparent,
            )

    async def experiment_cancel_requested(self, event: Event, tx: Transaction) -> None:
        """Cancels; of an experiment that is not known yet, remembers it for when the request comes."""
        asked = ExperimentCancelRequested.model_validate(event.data)
        await cancel_experiment(self._commander, tx, asked.experiment_id, asked.reason, self._clock.now(), event)

    async def jobs_completed(self, events: Sequence[Event], tx: Transaction) -> None:
        """The ends of attempts. Raises Refused for a job that nobody asked for, or a success without a result."""
        now = self._clock.now()
        ended = [(_completed(event, now), event) for event in events if event.source != SOURCE]
        if not ended:
            return
        try:
            decisions = await self._commander.complete(tx, ended)
        except UnknownJob as error:
            raise Refused(str(error)) from error
        for (happening, _), decision in zip(ended, decisions, strict=True):
            for note in decision.notes:
                telemetry.logger("scheduler").info(note, job_key=happening.job_key, attempt=happening.attempt)


async def cancel_experiment(
    commander: Commander, tx: Transaction, identity: str, reason: str, at: datetime, cause: Event | None = None
) -> bool:
    """Whether the experiment was known."""
    if await tx.connection.fetchval(QUERIES.remember_cancel, identity, reason, at):
        return False
    await commander.apply(tx, ExperimentCancelled(identity, at, reason), cause)
    await tx.connection.execute(QUERIES.set_cancel_reason, identity, reason)
    return True


def _completed(event: Event, at: datetime) -> Completed:
    ended = payload(event.type, event.data)
    if not isinstance(ended, JobCompleted):
        raise Refused(f"{event.type} does not end a job")
    checkpoint = ended.checkpoint if isinstance(ended, CheckpointSelected) else None
    if ended.outcome == "succeeded":
        if ended.result is None:
            raise Refused("a success names no result; `result` references the manifest in the object store")
        if isinstance(ended, CheckpointSelected) and checkpoint is None:
            raise Refused("a selection succeeded without a checkpoint; `checkpoint` says which was chosen")
    return Completed(
        ended.job_key, ended.attempt, ended.outcome, at, ended.result, checkpoint, ended.error, ended.usage
    )

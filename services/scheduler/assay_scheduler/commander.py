"""Carries out what the lifecycle decides: in one transaction, the changed rows and the events that tell of them.

The only place where a decision meets the database; it has no rule of its own.
"""

from __future__ import annotations

from datetime import datetime

from assay_chassis.outbox import Transaction
from assay_chassis.publishing import make_event
from assay_schemas.envelope import Event
from assay_schemas.ids import event_id

from assay_scheduler.lifecycle import Decision, decide
from assay_scheduler.policy import Resources
from assay_scheduler.states import (
    Admitted,
    ExperimentCancelled,
    Happening,
    Limits,
    Message,
    Planned,
    World,
)
from assay_scheduler.store import QUERIES, WorldStore

SOURCE = "/scheduler"


class Commander:
    """Applies happenings within a caller's transaction."""

    def __init__(self, limits: Limits, capacity: Resources) -> None:
        self._limits = limits
        self._capacity = capacity

    async def apply(self, tx: Transaction, happening: Happening, cause: Event | None = None) -> Decision:
        """Loads, decides, saves and publishes. Raises UnknownJob; KeyError for an unknown experiment."""
        store = WorldStore(tx.connection, self._capacity)
        world = await _slice_for(store, happening)
        decision = decide(world, happening, self._limits)
        await store.save(world, decision.world)
        await say(tx, decision.messages, happening.at, cause)
        await tx.connection.execute(QUERIES.wake, "")
        return decision

    async def admit(self, tx: Transaction, keys: list[str], at: datetime) -> None:
        """Asks for several ready jobs, in this order, with one look at the world."""
        store = WorldStore(tx.connection, self._capacity)
        before = world = await store.jobs(keys)
        messages: list[Message] = []
        for key in keys:
            decision = decide(world, Admitted(key, at), self._limits)
            world, messages = decision.world, messages + decision.messages
        await store.save(before, world)
        await say(tx, messages, at)


async def say(tx: Transaction, messages: list[Message], at: datetime, cause: Event | None = None) -> None:
    """Puts messages into the outbox, each under the id that its subject gives it."""
    await tx.publish(*(as_event(message, at, cause) for message in messages))


def as_event(message: Message, at: datetime, cause: Event | None = None) -> Event:
    return make_event(
        message.topic,
        message.payload,
        key=message.key,
        source=SOURCE,
        id=event_id(message.topic, *message.about),
        cause=cause,
        correlation=message.correlation,
        time=at,
    )


async def _slice_for(store: WorldStore, happening: Happening) -> World:
    match happening:
        case Planned():
            return await store.add_planned(happening)
        case ExperimentCancelled():
            return await store.of_experiment(happening.experiment_id)
        case _:
            return await store.family(happening.job_key)

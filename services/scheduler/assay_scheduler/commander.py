"""Carries out what the lifecycle decides: in one transaction, the changed rows and the events that tell of them.

The only place where a decision meets the database; it has no rule of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from assay_chassis.outbox import Transaction
from assay_chassis.publishing import make_event
from assay_schemas.envelope import Event
from assay_schemas.ids import event_id

from assay_scheduler.bell import CHANNEL
from assay_scheduler.lifecycle import Decision, decide
from assay_scheduler.policy import Admission, Resources
from assay_scheduler.states import (
    Admitted,
    Completed,
    ExperimentCancelled,
    Happening,
    Limits,
    Message,
    Planned,
    World,
)
from assay_scheduler.store import WorldStore

SOURCE = "/scheduler"


class Commander:
    """Applies happenings within a caller's transaction."""

    def __init__(self, limits: Limits, capacity: Resources) -> None:
        self._limits = limits
        self._capacity = capacity

    async def apply(self, tx: Transaction, happening: Happening, cause: Event | None = None) -> Decision:
        """Loads, decides, saves and publishes. Raises UnknownJob; KeyError for an unknown experiment."""
        store = WorldStore(tx.connection, self._capacity)
        (decision,) = await self._carry_out(tx, store, await _slice_for(store, happening), [(happening, cause)])
        tx.notify(CHANNEL)
        return decision

    async def complete(self, tx: Transaction, ended: Sequence[tuple[Completed, Event]]) -> list[Decision]:
        """Applies the ends of several attempts, in this order, with one look at the world. Raises UnknownJob."""
        store = WorldStore(tx.connection, self._capacity)
        world = await store.families([happening.job_key for happening, _ in ended])
        tx.notify(CHANNEL)
        return await self._carry_out(tx, store, world, ended)

    async def admit(self, tx: Transaction, admission: Admission, at: datetime) -> None:
        """Asks for what is admitted, in this order, with one look at the world; but for no job that came to have
        another need, or to count as another owner's, while its row was waited for."""
        store = WorldStore(tx.connection, self._capacity)
        admitted = [Admitted(key, at, admission.needs[key], admission.owners[key]) for key in admission.admitted]
        world = await store.jobs(admission.admitted)
        await self._carry_out(tx, store, world, [(one, None) for one in admitted])

    async def _carry_out(
        self, tx: Transaction, store: WorldStore, before: World, happenings: Iterable[tuple[Happening, Event | None]]
    ) -> list[Decision]:
        decisions, world = [], before
        for happening, cause in happenings:
            decision = decide(world, happening, self._limits)
            await say(tx, decision.messages, happening.at, cause)
            decisions.append(decision)
            world = decision.world
        await store.save(before, world)
        return decisions


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
            return await store.families([happening.job_key])

"""A member of a consumer group, as much of aiokafka's consumer as the real reader asks of it.

Hands records over in the order of each partition, late where a fault says so; handles none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from assay_chassis.kafka_reader import KafkaReader

from simulation.loop import current_process
from simulation.parts.log import SESSION_TIMEOUT_S, Log

RETRY_BACKOFF_S = 0.2


class Consumer:
    """Also stands for FastStream's subscriber: the reader takes its records from a call, and asks it for a consumer."""

    def __init__(self, log: Log, group: str, topics: Sequence[str]) -> None:
        self.log, self.group, self.topics = log, log.group(group), list(topics)
        self.process = current_process()
        self.reader: KafkaReader | None = None
        self.consumer: Consumer | None = self
        self.running, self.tasks = False, ()
        self._take: Any = None
        self._generation = -1
        self._next: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._fetching: set[TopicPartition] = set()
        self._joined = False
        self._revoking = asyncio.Lock()

    def __call__(self, take: Any) -> None:
        self._take = take

    # Membership.

    def start(self, reader: KafkaReader) -> None:
        self.reader = reader
        self.log.loop.create_task(self._heartbeat())
        self._join()

    def _join(self) -> None:
        self._joined = True
        self.group.join(self)

    def stop(self) -> None:
        self._joined = False
        self._next.clear()
        self.group.leave(self)

    async def _heartbeat(self) -> None:
        """Notices, as the real one does, that the group went on without it, and joins again."""
        while True:
            await self.log.loop.sleep(SESSION_TIMEOUT_S / 2)
            if self._joined and self not in self.group.members:
                await self.revoke()
                if self._joined:
                    self._join()

    async def revoke(self) -> None:
        """One at a time: the real consumer joins again only when its listener has let go of what it had."""
        assert self.reader is not None
        async with self._revoking:
            revoked = set(self._next)
            self._next.clear()
            self._paused.clear()
            await self.reader.on_partitions_revoked(revoked)

    def assign(self, places: list[TopicPartition], generation: int) -> None:
        self.log.loop.spawn(self.process, self._assigned(places, generation))

    async def _assigned(self, places: list[TopicPartition], generation: int) -> None:
        assert self.reader is not None
        if generation != self.group.generation or self not in self.group.members:
            return
        self._generation = generation
        await self.reader.on_partitions_assigned(set(places))
        self._next = {place: self.group.position(place) for place in places}
        for place in places:
            self.has(place)

    # Fetching.

    def has(self, place: TopicPartition) -> None:
        """The log tells that a partition may have something new."""
        wanted = place in self._next and place not in self._paused and place not in self._fetching
        if wanted and self._next[place] < len(self.log.records[place]):
            self._fetching.add(place)
            faults, loop = self.log.faults, self.log.loop
            delay = loop.random.uniform(0.001, 0.01)
            if faults.strikes_now("late record", f"{place.topic} to {self.process.name}"):
                delay = faults.between("late record", 0.2, 6.0)
            loop.later(delay, loop.call_in, self.process, self._fetch, place)

    def _fetch(self, place: TopicPartition) -> None:
        self._fetching.discard(place)
        if place not in self._next:
            return
        fresh = self.log.records[place][self._next[place] :]
        self._next[place] += len(fresh)
        for record in fresh:
            _at_once(self._take(record))

    # What the reader asks for.

    def pause(self, place: TopicPartition) -> None:
        if place not in self._next:
            raise IllegalStateError(f"{place} is not assigned")
        self._paused.add(place)

    def resume(self, place: TopicPartition) -> None:
        if place not in self._next:
            raise IllegalStateError(f"{place} is not assigned")
        self._paused.discard(place)
        self.has(place)

    def partitions_for_topic(self, topic: str) -> set[int]:  # noqa: ARG002
        return set(range(self.log.partitions))

    async def end_offsets(self, places: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {place: len(self.log.records[place]) for place in places}

    def committed(self, place: TopicPartition) -> asyncio.Future[int | None]:
        """At once, without a task for each of many partitions."""
        found = self.log.loop.create_future()
        found.set_result(self.group.committed.get(place))
        return found

    async def position(self, place: TopicPartition) -> int:
        if place not in self._next:
            raise IllegalStateError(f"{place} is not assigned")
        return self._next[place]

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Tried again after what may pass, as the real client does, in the name of the generation of that time."""
        loop, faults, group = self.log.loop, self.log.faults, self.group
        while True:
            generation = self._generation
            await loop.sleep(loop.random.uniform(0.0005, 0.003))
            lost = faults.strikes_now("offset commit fails", self.process.name)
            if not lost and (self not in group.members or generation != group.generation):
                raise CommitFailedError("the group went on without this member")
            if not lost:
                group.committed.update(offsets)
            if not lost and not faults.strikes_now("offset commit unheard", self.process.name):
                return
            await loop.sleep(RETRY_BACKOFF_S)


def _at_once(call: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine that never waits, as nothing waits between the real consumer's answer and the reader."""
    try:
        call.send(None)
    except StopIteration:
        return
    raise RuntimeError("taking a record waited for something")

"""A Kafka cluster in memory: topics in partitions, consumer groups, generations and committed offsets.

Keeps every record; never reorders within a partition.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Protocol

from aiokafka import TopicPartition
from assay_schemas.envelope import Record

from simulation.faults import Faults
from simulation.loop import Process, SimulatedLoop
from simulation.points import Points

SESSION_TIMEOUT_S = 10.0
REBALANCE_WITHIN_S = 15.0
EPOCH_MS = 1_767_225_600_000


class Member(Protocol):
    """A consumer, as its group sees it."""

    process: Process
    topics: list[str]

    def assign(self, places: list[TopicPartition], generation: int) -> None: ...
    def has(self, place: TopicPartition) -> None: ...
    async def revoke(self) -> None: ...


class Log:
    """`appended` is told of every record when it is there for good."""

    def __init__(self, loop: SimulatedLoop, faults: Faults, points: Points, partitions: int = 2) -> None:
        self.loop, self.faults, self.points, self.partitions = loop, faults, points, partitions
        self.records: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.first: dict[TopicPartition, int] = defaultdict(int)
        """The oldest record that can still be read; invariants know the older ones too."""
        self.groups: dict[str, Group] = {}
        self.watchers: list[Callable[[Record], None]] = []

    def append(self, record: Record) -> None:
        self._append(record)
        if self.faults.strikes_now("duplicate record", record.topic):
            self._append(record)

    def _append(self, record: Record) -> None:
        place = TopicPartition(record.topic, zlib.crc32(record.key or b"") % self.partitions)
        written = record.model_copy(
            update={
                "partition": place.partition,
                "offset": len(self.records[place]),
                "timestamp_ms": EPOCH_MS + int(self.loop.time() * 1000),
            }
        )
        self.records[place].append(written)
        for watcher in self.watchers:
            watcher(written)
        for group in self.groups.values():
            group.has(place)

    def drop_before(self, at_s: float) -> None:
        """Retention: records older than this go, but none that a group has yet to read."""
        for place, records in self.records.items():
            readers = [one for one in self.groups.values() if place.topic in one.topics]
            read = min((one.committed.get(place, 0) for one in readers), default=0)
            old = sum(record.timestamp_ms < EPOCH_MS + at_s * 1000 for record in records[:read])
            self.first[place] = max(self.first[place], old)

    def of(self, topic: str) -> list[Record]:
        """Every record of a topic, partition by partition."""
        return [one for number in range(self.partitions) for one in self.records[TopicPartition(topic, number)]]

    def topics(self) -> list[str]:
        return sorted({place.topic for place in self.records})

    def caught_up(self, group: Group) -> bool:
        """Whether a group has committed everything there is for it to read."""
        members = group.members
        return bool(members) and all(
            group.committed.get(place, 0) >= len(self.records.get(place, ())) for place in self.places(group.topics)
        )

    def places(self, topics: Sequence[str]) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for topic in topics for number in range(self.partitions)]

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group(self, name))


class Group:
    """A consumer group: its members share the partitions anew whenever one comes or goes."""

    def __init__(self, log: Log, name: str) -> None:
        self.log, self.name = log, name
        self.members: list[Member] = []
        self.topics: list[str] = []
        self.committed: dict[TopicPartition, int] = {}
        self.generation = 0
        self._again = False
        self._rebalancing = False

    def join(self, member: Member) -> None:
        self.members.append(member)
        self.topics = member.topics
        self.rebalance()

    def leave(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
            self.rebalance()

    def expire(self, member: Member) -> None:
        """Nothing was heard of a member for the session timeout."""
        if member.process.stopped_until > self.log.loop.time() or not member.process.alive:
            self.leave(member)

    def position(self, place: TopicPartition) -> int:
        """Where a member goes on: what was committed, or the oldest record where that one is gone."""
        return max(self.committed.get(place, 0), self.log.first[place])

    def has(self, place: TopicPartition) -> None:
        for member in self.members:
            member.has(place)

    def rebalance(self) -> None:
        self._again = True
        if not self._rebalancing:
            self._rebalancing = True
            self.log.loop.spawn(self.log.loop.outside, self._rebalance())

    async def _rebalance(self) -> None:
        while self._again:
            self._again = False
            await self.log.loop.sleep(self.log.loop.random.uniform(0.01, 0.2))
            members = list(self.members)
            loop = self.log.loop
            revoking = [loop.spawn(member.process, member.revoke()) for member in members]
            if revoking:
                await asyncio.wait(revoking, timeout=REBALANCE_WITHIN_S)
            # Who has not answered in time is out, and finds that out by itself.
            for member, answer in zip(members, revoking, strict=True):
                if not answer.done() and member in self.members:
                    self.members.remove(member)
            self.generation += 1
            self._share_out()
        self._rebalancing = False

    def _share_out(self) -> None:
        shares: dict[int, list[TopicPartition]] = defaultdict(list)
        if self.members:
            for number, place in enumerate(self.log.places(self.topics)):
                shares[number % len(self.members)].append(place)
        for number, member in enumerate(self.members):
            member.assign(shares[number], self.generation)

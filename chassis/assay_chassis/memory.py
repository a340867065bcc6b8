"""A broker in this process's memory, for tests and simulations: the same contract as Kafka, and no network.

Keeps nothing when the process ends, and has one member per group.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections import defaultdict
from collections.abc import Sequence

from assay_schemas.envelope import Event, Record, Unreadable, decode
from assay_schemas.topics import TOPICS

from assay_chassis.errors import BrokerUnavailable
from assay_chassis.partitions import OnRecord, OnSeveral, PartitionQueue
from assay_chassis.publishing import encode_checked

Place = tuple[str, int]
DRAIN_S = 0.5


class MemoryLog:
    """Topics, their partitions, and how far each group has read; several brokers may share one."""

    def __init__(self, partitions: int = 3) -> None:
        self.partitions = partitions
        self._records: dict[Place, list[Record]] = defaultdict(list)
        self.committed: dict[tuple[str, Place], int] = {}
        self.readers: list[InMemoryBroker] = []
        self.available = True

    def append(self, record: Record) -> Record:
        key = record.key or b""
        place = (record.topic, zlib.crc32(key) % self.partitions)
        written = record.model_copy(
            update={
                "partition": place[1],
                "offset": len(self._records[place]),
                "timestamp_ms": record.timestamp_ms or int(time.time() * 1000),
            }
        )
        self._records[place].append(written)
        for reader in self.readers:
            reader.offer(written)
        return written

    def records(self, topic: str) -> list[Record]:
        """Every record of a topic, partition by partition."""
        return [record for number in range(self.partitions) for record in self._records[topic, number]]

    def since(self, place: Place, offset: int) -> list[Record]:
        return self._records[place][offset:]


class InMemoryBroker:
    """One client of a `MemoryLog`."""

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.log = log or MemoryLog()
        self._topics: Sequence[str] = ()
        self._group = ""
        self._on_record: OnRecord | None = None
        self._on_several: OnSeveral | None = None
        self._queues: dict[Place, PartitionQueue] = {}
        self._started = False
        self._progress = asyncio.Event()

    def subscribe(
        self, topics: Sequence[str], group: str, on_record: OnRecord, on_several: OnSeveral | None = None
    ) -> None:
        self._topics, self._group, self._on_record, self._on_several = list(topics), group, on_record, on_several

    async def start(self) -> None:
        if not self.log.available:
            raise BrokerUnavailable("the in-memory broker was made unavailable by a test")
        if self._on_record is not None:
            for topic in self._topics:
                for number in range(self.log.partitions):
                    self._open((topic, number), self._on_record)
            self.log.readers.append(self)
        self._started = True

    def _open(self, place: Place, on_record: OnRecord) -> None:
        queue = PartitionQueue(on_record, lambda: self._settle(place), self._on_several)
        self._queues[place] = queue
        for record in self.log.since(place, self.log.committed.get((self._group, place), 0)):
            queue.put(record)

    def _settle(self, place: Place) -> None:
        queue = self._queues.get(place)
        if queue is not None and queue.next_offset is not None:
            self.log.committed[self._group, place] = queue.next_offset
        self._progress.set()

    def offer(self, record: Record) -> None:
        queue = self._queues.get((record.topic, record.partition))
        if queue is not None:
            queue.put(record)

    async def stop(self) -> None:
        if self in self.log.readers:
            self.log.readers.remove(self)
        await asyncio.gather(*(queue.close(DRAIN_S) for queue in self._queues.values()))
        self._queues.clear()
        self._started = False

    async def publish(self, *events: Event) -> None:
        encoded = [(event, encode_checked(event)) for event in events]
        for event, (key, value, headers) in encoded:
            await self.send(Record(topic=event.type, key=key, value=value, headers=headers))

    async def send(self, record: Record) -> None:
        if not self.log.available:
            raise BrokerUnavailable("the in-memory broker was made unavailable by a test")
        self.log.append(record)

    def problems(self) -> list[str]:
        return [] if self._started and self.log.available else ["broker: not started"]

    def failure(self) -> str | None:
        failures = [queue.failure for queue in self._queues.values() if queue.failure is not None]
        return f"a handler broke its partition: {failures[0]!r}" if failures else None

    def lag(self, topic: str) -> float:
        backlog = sum(queue.backlog for place, queue in self._queues.items() if place[0] == topic)
        return float("inf") if backlog or not self._started else 0.0

    async def settled(self, timeout_s: float = 10.0) -> None:
        """Return when everything written to the subscribed topics is handled. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while any(queue.backlog for queue in self._queues.values()):
                self._progress.clear()
                await self._progress.wait()

    def events(self, topic: str | None = None) -> list[Event]:
        """The events written to a topic, or to every declared one; what is no event is left out."""
        found = []
        for name in [topic] if topic else list(TOPICS):
            for record in self.log.records(name):
                try:
                    found.append(decode(record))
                except Unreadable:
                    continue
        return found

    def letters(self, topic: str) -> list[Record]:
        """The records on a topic's dead-letter topic."""
        return self.log.records(f"{topic}.dlq")

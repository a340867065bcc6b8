"""One consumer's partitions: records queue up per partition, what is handled is committed, the lag is measured.

Never handles a record itself and never commits past one that is not handled.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError
from assay_schemas.envelope import Record

from assay_chassis import telemetry
from assay_chassis.clock import Clock
from assay_chassis.lag import LagMeter
from assay_chassis.partitions import OnRecord, OnSeveral, PartitionQueue
from assay_chassis.tasks import end

COMMIT_EVERY_S = 0.1
LOOK_EVERY_S = 1.0
ANSWERS_WITHIN_S = 5.0
PAUSE_ABOVE, RESUME_BELOW = 200, 50
MOST_AT_ONCE = 500
STUCK_AFTER_S = 60.0
JOIN_WITHIN_S = 180.0


class KafkaReader(ConsumerRebalanceListener):  # type: ignore[misc]
    """What this process reads of its group's partitions; also told by the consumer which those are."""

    def __init__(
        self,
        topics: Sequence[str],
        on_record: OnRecord,
        clock: Clock,
        drain_s: float,
        on_several: OnSeveral | None = None,
    ) -> None:
        self.topics = list(topics)
        self._subscriber: Any = None
        self._record_of: Callable[[Any], Record] | None = None
        self._on_record = on_record
        self._on_several = on_several
        self._paused: set[TopicPartition] = set()
        self._clock = clock
        self._drain_s = drain_s
        self._queues: dict[TopicPartition, PartitionQueue] = {}
        self._uncommitted: set[TopicPartition] = set()
        self._committing: asyncio.Task[bool] | None = None
        self._meters: dict[str, LagMeter] = defaultdict(LagMeter)
        self._joined = False
        self._left_at = clock.monotonic()
        self._moved_at = clock.monotonic()
        self._answered_at = clock.monotonic()
        self._positions: dict[TopicPartition, int] = {}
        self._failure: str | None = None
        self._log = telemetry.logger("kafka")

    def attach(self, subscriber: Any, record_of: Callable[[Any], Record] | None = None) -> None:
        """Receive the records of a FastStream subscriber that has `decode_record` as its decoder.

        With `record_of`, which makes a record of a consumer's, those that were fetched with one come along with it."""
        self._subscriber, self._record_of = subscriber, record_of
        subscriber(self.take if record_of is None else self.take_all)

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer if self._subscriber is not None else None

    async def take(self, record: Record) -> None:
        """Queue a record that the consumer read; a partition with a long queue is paused."""
        partition = TopicPartition(record.topic, record.partition)
        self._queue(partition, record)
        self._pause_if_long(partition)

    async def take_all(self, record: Record) -> None:
        """Queue a record, and what the consumer has fetched besides: the way of one through FastStream costs more than
        all else that is done with a sign of life."""
        # Nothing waits before all are queued: what the consumer has given and no queue holds would seem handled.
        first = TopicPartition(record.topic, record.partition)
        self._queue(first, record)
        fetched = await self._fetched()
        for partition, records in fetched.items():
            self._queue(partition, *records)
        # Queues are worked on before more is read. A partition that is paused loses what was fetched of it.
        await asyncio.sleep(0)
        for partition in {first, *fetched}:
            self._pause_if_long(partition)

    async def _fetched(self) -> dict[TopicPartition, list[Record]]:
        """What lies ready. An error of fetching is met again by the consumer's own loop, which waits then."""
        if self.consumer is None or self._record_of is None:
            return {}
        try:
            batches = await self.consumer.getmany(timeout_ms=0, max_records=MOST_AT_ONCE)
        except (KafkaError, ConsumerStoppedError) as error:
            self._log.info("nothing more was fetched", error=f"{type(error).__name__}: {error}")
            return {}
        return {partition: list(map(self._record_of, batch)) for partition, batch in batches.items()}

    def _queue(self, partition: TopicPartition, *records: Record) -> None:
        queue = self._queues.get(partition)
        if queue is not None:
            queue.put(*records)

    def _pause_if_long(self, partition: TopicPartition) -> None:
        queue = self._queues.get(partition)
        if queue is not None and queue.backlog >= PAUSE_ABOVE and partition not in self._paused:
            self._paused.add(partition)
            self._with_consumer("pause", partition)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        for partition in assigned:
            self._queues[partition] = PartitionQueue(
                self._on_record, partial(self._handled, partition), self._on_several
            )
        self._joined = True
        self._moved_at = self._answered_at = self._clock.monotonic()
        self._log.info("partitions assigned", count=len(assigned))

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002
        self._joined = False
        self._left_at = self._clock.monotonic()
        await self.drain()

    async def drain(self) -> None:
        """Let the records in hand finish within the time limit, commit, and forget all partitions."""
        queues, self._queues = self._queues, {}
        self._paused.clear()
        await self._give_up_commit()
        await asyncio.gather(*(queue.close(self._drain_s) for queue in queues.values()))
        handled = self._to_commit(queues)
        self._uncommitted.clear()
        await self._commit(handled)

    async def _give_up_commit(self) -> None:
        """The client tries a commit again by itself, after a rebalance in the name of the new generation: what this one
        says would set back what the partition's next owner has committed meanwhile."""
        if self._committing is not None:
            await end([self._committing])

    def _handled(self, partition: TopicPartition) -> None:
        queue = self._queues.get(partition)
        self._uncommitted.add(partition)
        if queue is None:
            return
        if queue.failure is not None:
            self._failure = f"{partition.topic}/{partition.partition}: the handler broke: {queue.failure!r}"
        if queue.backlog <= RESUME_BELOW and partition in self._paused:
            self._paused.discard(partition)
            self._with_consumer("resume", partition)

    def _with_consumer(self, action: str, partition: TopicPartition) -> None:
        try:
            getattr(self.consumer, action)(partition)
        except IllegalStateError:
            self._log.debug("partition is no longer assigned", partition=str(partition))

    async def commit_forever(self) -> None:
        """Commit what was handled, a few times a second."""
        while True:
            await self._clock.sleep(COMMIT_EVERY_S)
            offsets = self._to_commit(self._queues)
            if offsets:
                self._committing = asyncio.create_task(self._commit(offsets))
                await asyncio.wait({self._committing})
                await self._conclude(self._committing, offsets)

    async def _conclude(self, commit: asyncio.Task[bool], offsets: dict[TopicPartition, int]) -> None:
        """What the broker did not take is still to be committed, some time later."""
        if not commit.cancelled() and commit.result():
            self._uncommitted -= {place for place, offset in offsets.items() if self._next_offset(place) == offset}
        elif not commit.cancelled():
            await self._clock.sleep(LOOK_EVERY_S)

    def _to_commit(self, queues: dict[TopicPartition, PartitionQueue]) -> dict[TopicPartition, int]:
        offsets = {place: queue.next_offset for place, queue in queues.items() if place in self._uncommitted}
        return {place: offset for place, offset in offsets.items() if offset is not None}

    def _next_offset(self, partition: TopicPartition) -> int | None:
        queue = self._queues.get(partition)
        return None if queue is None else queue.next_offset

    async def _commit(self, offsets: dict[TopicPartition, int]) -> bool:
        if not offsets or self.consumer is None:
            return True
        try:
            await asyncio.wait_for(self.consumer.commit(offsets), timeout=self._drain_s)
        except (KafkaError, TimeoutError) as error:
            # Harmless: after a rebalance another member reads these records again, and the inbox drops them.
            self._log.info("offsets not committed", error=f"{type(error).__name__}: {error}")
            return False
        return True

    async def look_forever(self) -> None:
        """Measure the lag once a second; a broker that does not answer lets it grow."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                async with asyncio.timeout(ANSWERS_WITHIN_S):
                    await self._look()
            except (KafkaError, TimeoutError, IllegalStateError) as error:
                self._log.debug("lag unknown", error=f"{type(error).__name__}: {error}")

    async def _look(self) -> None:
        consumer = self.consumer
        if consumer is None or not self._joined:
            return
        now = self._clock.monotonic()
        partitions = [
            TopicPartition(topic, number)
            for topic in self.topics
            for number in consumer.partitions_for_topic(topic) or ()
        ]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions) if partitions else {}
        handled = await self._handled_up_to(consumer, partitions)
        self._answered_at = self._clock.monotonic()
        for topic in {partition.topic for partition in partitions}:
            meter = self._meters[topic]
            meter.look(
                now,
                {partition: end for partition, end in ends.items() if partition.topic == topic},
                {partition: offset for partition, offset in handled.items() if partition.topic == topic},
            )
            telemetry.gauge("consumer_lag_seconds", min(meter.seconds(now), 1e9), topic=topic)
            telemetry.gauge("consumer_lag_records", meter.records, topic=topic)
        self._notice_standstill(now, ends, handled)

    async def _handled_up_to(
        self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """The next offset the group will handle: ours where we own a partition, else what was committed."""
        own = [partition for partition in partitions if partition in self._queues]
        others = [partition for partition in partitions if partition not in self._queues]
        committed = await asyncio.gather(*(consumer.committed(partition) for partition in others))
        found = {partition: offset or 0 for partition, offset in zip(others, committed, strict=True)}
        return found | {partition: await self._position(consumer, partition) for partition in own}

    async def _position(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> int:
        """What is known here where a record is in hand, else where the consumer stands."""
        queue = self._queues.get(partition)
        if queue is not None and queue.first_unhandled is not None:
            return queue.first_unhandled
        position: int = await consumer.position(partition)
        return position if queue is None or queue.first_unhandled is None else queue.first_unhandled

    def _notice_standstill(self, now: float, ends: dict[Any, int], handled: dict[Any, int]) -> None:
        """A consumer that has records to fetch, none in hand, and gets none, is stuck."""
        idle = all(queue.backlog == 0 for queue in self._queues.values())
        behind = any(handled[partition] < ends.get(partition, 0) for partition in self._queues if partition in handled)
        if not (idle and behind) or handled != self._positions:
            self._moved_at = now
        self._positions = dict(handled)
        if now - self._moved_at > STUCK_AFTER_S:
            self._failure = f"the consumer has fetched nothing for {STUCK_AFTER_S:.0f} s although there are records"

    def problems(self) -> list[str]:
        if not self._joined:
            return ["kafka: the consumer group has not assigned partitions yet"]
        if self._clock.monotonic() - self._answered_at > ANSWERS_WITHIN_S:
            return ["kafka: the broker does not answer"]
        unknown = [topic for topic in self.topics if not (self.consumer and self.consumer.partitions_for_topic(topic))]
        return [f"kafka: topic {topic} does not exist; create the topics first" for topic in unknown]

    def failure(self) -> str | None:
        """Why the process has to be restarted, if it has to."""
        if not self._joined and self._clock.monotonic() - self._left_at > JOIN_WITHIN_S:
            return f"the consumer has not joined its group for {JOIN_WITHIN_S:.0f} s"
        if self._joined and self._subscriber.running and all(task.done() for task in self._subscriber.tasks):
            return "the consumer has ended by itself"
        return self._failure

    def lag(self, topic: str) -> float:
        return self._meters[topic].seconds(self._clock.monotonic()) if topic in self._meters else math.inf

"""What every event broker can do, and the one that services use: Kafka.

Never looks into a record and never decides what becomes of it: `delivery` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay_schemas.envelope import Event, Record

from assay_chassis.kafka import KafkaBroker
from assay_chassis.partitions import OnRecord, OnSeveral

__all__ = ["Broker", "KafkaBroker", "OnRecord", "OnSeveral"]


class Broker(Protocol):
    """At-least-once transport of records, in order within a partition; the same contract suite tests every one."""

    def subscribe(
        self, topics: Sequence[str], group: str, on_record: OnRecord, on_several: OnSeveral | None = None
    ) -> None:
        """Read all topics as a member of the group, from their beginning the first time. Once, before `start`.

        A record counts as handled when `on_record` returns; it is called again for a record whose
        offset was not committed before a crash. It must not raise. Where several records of a partition
        wait, `on_several` is tried first: with True they count as handled, with False each goes to `on_record`.
        """
        ...

    async def start(self) -> None:
        """Connect and begin to read. Raises BrokerUnavailable; may then be called again."""
        ...

    async def stop(self) -> None:
        """Let records in hand finish for a while, commit, and leave. Safe to repeat."""
        ...

    async def publish(self, *events: Event) -> None:
        """Write events, each to the topic of its type. Raises BrokerUnavailable, EventTooLarge."""
        ...

    async def send(self, record: Record) -> None:
        """Write one record exactly as it is: bytes, null headers and all. Raises BrokerUnavailable, EventTooLarge."""
        ...

    def problems(self) -> list[str]:
        """Why the broker is not ready to read and write, empty when it is."""
        ...

    def failure(self) -> str | None:
        """Why the process must be restarted: the consumer is stuck or dead. None when all is well."""
        ...

    def lag(self, topic: str) -> float:
        """Seconds by which the group's handling of a topic is behind; infinite when that is not known."""
        ...

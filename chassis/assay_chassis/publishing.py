"""Making events and handing them to a broker: deterministic ids, the topic's schema, the size limit.

Never decides where an event goes: its type is its topic.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from assay_schemas.canonical import digest_of
from assay_schemas.envelope import MAX_EVENT_BYTES, Event, encode
from assay_schemas.ids import event_id
from assay_schemas.topics import TOPICS
from pydantic import BaseModel

from assay_chassis import tracing
from assay_chassis.errors import EventTooLarge


class Publisher(Protocol):
    """What can publish events."""

    async def publish(self, *events: Event) -> None:
        """Return when every in-sync replica of the broker has all of them, in order.

        Raises BrokerUnavailable (some may have been written), EventTooLarge (none was).
        """
        ...


def make_event(
    topic: str,
    payload: BaseModel,
    *,
    key: str,
    source: str,
    id: str | None = None,
    cause: Event | None = None,
    correlation: str = "",
    time: datetime | None = None,
) -> Event:
    """The event that says `payload` on `topic`, caused by `cause` and of the same correlation.

    Without an `id` it is derived from topic, key and payload, so that saying the same again is the
    same event. `source` is a service's name or any URI reference; a bare name gets a leading slash.
    """
    data = payload.model_dump(mode="json")
    return Event(
        id=id or event_id(topic, key, digest_of(data)),
        source=source if "/" in source or ":" in source else f"/{source}",
        type=topic,
        time=time or datetime.now(UTC),
        data=data,
        key=key,
        subject=key,
        dataschema=TOPICS[topic].dataschema if topic in TOPICS else "",
        correlationid=correlation or (cause.correlationid if cause else ""),
        causationid=cause.id if cause else "",
        traceparent=_context(topic, correlation, cause),
    )


def _context(topic: str, correlation: str, cause: Event | None) -> str:
    """Signs of life come twice a second: they are no part of a trace."""
    if topic in TOPICS and TOPICS[topic].kind == "progress":
        return ""
    return tracing.onward(correlation, cause)


def encode_checked(event: Event) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """(key, value, headers) of the record for `event`. Raises EventTooLarge, so that no reader has to."""
    key, value, headers = encode(event)
    if len(value) > MAX_EVENT_BYTES:
        raise EventTooLarge(
            f"event {event.type} {event.id}: data is {len(value)} bytes, over the limit of {MAX_EVENT_BYTES}; "
            "put it into the object store and send a reference"
        )
    return key, value, headers

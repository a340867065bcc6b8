"""The CloudEvents 1.0 envelope on Kafka: written one way, read in every way that makes sense.

A record without usable headers is still an event when its topic says of what type. Never raises
anything but `Unreadable`, whose reason goes with the record to the dead-letter topic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pydantic_core
from pydantic import AwareDatetime, BaseModel, ConfigDict, TypeAdapter, ValidationError

from assay_schemas.ids import record_event_id

MAX_EVENT_BYTES = 256 * 1024
STRUCTURED = "application/cloudevents+json"
_ATTRIBUTES = ("id", "source", "type", "time", "subject", "dataschema")
_EXTENSIONS = ("partitionkey", "correlationid", "causationid", "traceparent")
_LATEST_MS = 253_370_764_800_000
"""The year 9999: a producer's clock may say anything."""
_TIME: TypeAdapter[datetime] = TypeAdapter(AwareDatetime)


class Unreadable(Exception):
    """The record is no event: not UTF-8 JSON, not an object, too large, or of another type than its topic."""


class Event(BaseModel):
    """One event: what happened (`type`, `data`), who says so (`source`) and its identity (`source`, `id`)."""

    model_config = ConfigDict(frozen=True)

    id: str
    source: str
    type: str
    time: AwareDatetime
    data: dict[str, Any]
    key: str = ""
    subject: str = ""
    dataschema: str = ""
    correlationid: str = ""
    causationid: str = ""
    traceparent: str = ""


class Record(BaseModel):
    """A raw Kafka record, before anything is believed about it."""

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0


def encode(event: Event) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """(key, value, headers) of the record that carries `event`: structured JSON, with ce_ headers as well."""
    attributes = {name: value for name, value in _attributes(event).items() if value}
    body = {"specversion": "1.0", **attributes, "datacontenttype": "application/json", "data": event.data}
    headers = [("content-type", STRUCTURED.encode()), ("ce_specversion", b"1.0")]
    headers += [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    return event.key.encode(), pydantic_core.to_json(body), headers


def _attributes(event: Event) -> dict[str, str]:
    named = {name: getattr(event, name) for name in (*_ATTRIBUTES, *_EXTENSIONS) if hasattr(event, name)}
    return {**named, "time": event.time.isoformat(), "partitionkey": event.key}


def decode(record: Record) -> Event:
    """The event a record carries: structured, binary, or plain JSON of the topic's own type.

    Raises Unreadable with the reason.
    """
    body = _json_object(record)
    if _is_structured(record.headers, body):
        attributes = {key: value for key, value in body.items() if isinstance(value, str)}
        data = body.get("data")
    else:
        headers = _readable(record.headers)
        attributes = {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}
        data = body
    if not isinstance(data, dict):
        raise Unreadable("the event's data is not a JSON object; send the payload as an object")
    kind = attributes.get("type") or record.topic
    if kind != record.topic:
        raise Unreadable(f"an event of type {kind!r} does not belong on topic {record.topic!r}")
    return Event(
        id=attributes.get("id") or record_event_id(record.topic, record.partition, record.offset),
        source=attributes.get("source") or "kafka",
        type=kind,
        time=_time(attributes.get("time"), record.timestamp_ms),
        data=data,
        key=(record.key or b"").decode(errors="replace"),
        **{name: attributes.get(name, "") for name in ("subject", "dataschema", *_EXTENSIONS[1:])},
    )


def _json_object(record: Record) -> dict[str, Any]:
    if record.value is None:
        raise Unreadable("the record has no value (a tombstone); commands and facts are never deleted")
    if len(record.value) > MAX_EVENT_BYTES:
        raise Unreadable(f"{len(record.value)} bytes is over the limit of {MAX_EVENT_BYTES} bytes")
    try:
        body = pydantic_core.from_json(record.value, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable(f"the value is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Unreadable(f"the value is JSON but not an object: it is a {type(body).__name__}")
    return body


def _readable(headers: Sequence[tuple[str, bytes | None]]) -> Mapping[str, str]:
    found = {}
    for name, value in headers:
        try:
            text = value.decode() if value is not None else ""
        except UnicodeDecodeError:
            continue
        if text:
            found[name.lower()] = text
    return found


def _is_structured(headers: Sequence[tuple[str, bytes | None]], body: Mapping[str, Any]) -> bool:
    if "specversion" in body and "type" in body and "data" in body:
        return True
    # What our own producers write is known by its body; only others' headers are read.
    return _readable(headers).get("content-type", "").startswith(STRUCTURED)


def _time(text: str | None, timestamp_ms: int) -> datetime:
    try:
        return _TIME.validate_python(text)
    except ValidationError:
        return datetime.fromtimestamp(min(max(timestamp_ms, 0), _LATEST_MS) / 1000, UTC)

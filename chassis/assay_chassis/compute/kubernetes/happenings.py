"""What the cluster itself says of a run's objects, as lines for people: its Events.
Pure: reads Events as JSON; never talks to a cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]


def lines_of(events: Iterable[Object]) -> str:
    """Oldest first, one line each, told apart from what a job prints by how they begin; empty where there are none."""
    return "".join(f"{_line(event)}\n" for event in sorted(events, key=_at))


def _line(event: Object) -> str:
    words = " ".join(str(event.get("message") or "").split())
    times = max(event.get("count") or 1, (event.get("series") or {}).get("count") or 1)
    again = f" ({times} times)" if times > 1 else ""
    what = event.get("involvedObject", {}).get("kind", "").lower()
    return f"[cluster] {_at(event)} {what} {event.get('reason') or event.get('type') or ''}: {words}{again}"


def _at(event: Object) -> str:
    """When it was last seen. Who writes an Event fills one of four fields."""
    last = (event.get("series") or {}).get("lastObservedTime")
    metadata = event.get("metadata", {})
    found = last or event.get("lastTimestamp") or event.get("eventTime") or metadata.get("creationTimestamp") or ""
    return str(found)[:19]

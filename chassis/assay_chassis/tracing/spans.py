"""What services say of their work: a span around it, and the context that the events it makes carry on.

Never fails or delays the work that it tells of: spans are sent by a thread of their own, or dropped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from assay_schemas.envelope import Event

from assay_chassis.errors import Misconfigured
from assay_chassis.tracing.contexts import belongs, parsed, root_of

if TYPE_CHECKING:
    from assay_chassis.tracing.exporting import Exporter

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
LABEL = "traceparent"

_exporter: Exporter | None = None
_inside: ContextVar[str] = ContextVar("inside", default="")
_handled: ContextVar[Mapping[str, str]] = ContextVar("handled", default=MappingProxyType({}))


def start(service: str) -> bool:
    """Send spans of this process as `assay-<service>`, where a collector is named; whether one is.

    Raises Misconfigured for a protocol other than HTTP."""
    global _exporter
    if not any(os.environ.get(name, "").strip() for name in ENDPOINTS):
        return False
    for name in PROTOCOLS:
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            raise Misconfigured(f"{name}: {os.environ[name]!r} is not offered; only 'http/protobuf' is (port 4318)")
    try:
        from assay_chassis.tracing.exporting import Exporter
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"{ENDPOINTS[0]} is set, and {error.name} is not installed: install assay-chassis again, or unset it"
        ) from error
    _exporter = Exporter(service)
    return True


def stop() -> None:
    """Send what is left, for a few seconds at most. Blocks: call it in a thread."""
    global _exporter
    exporter, _exporter = _exporter, None
    if exporter is not None:
        exporter.close()


def onward(correlation: str, cause: Event | None) -> str:
    """The context for an event of `correlation` that `cause` brought about: the nearest span of the same trace.

    While tracing is off, a context that somebody sent is passed on as it is."""
    passed_on = cause.traceparent if cause else ""
    if _exporter is None:
        return passed_on
    correlation = correlation or (cause.correlationid if cause else "")
    for known in (_handled.get().get(cause.id, "") if cause else "", _inside.get(), passed_on):
        if belongs(known, correlation):
            return known
    return root_of(correlation) if correlation else ""


def labels_for(event: Event) -> dict[str, str]:
    """What a run remembers of the trace of the event that asked for it."""
    context = onward("", event)
    return {LABEL: context} if _exporter is not None and context else {}


@contextmanager
def span(
    name: str,
    *,
    correlation: str = "",
    parent: str = "",
    started: datetime | None = None,
    links: tuple[str, ...] = (),
    **attributes: str | int,
) -> Iterator[None]:
    """A span around what is done inside; an exception marks it as failed and goes on.

    It stands below `parent`, or below the span it is inside of, where that is of the trace of `correlation`."""
    if _exporter is None:
        yield
        return
    above = next((known for known in (parent, _inside.get()) if belongs(known, correlation)), "")
    above = above or (root_of(correlation) if correlation else "")
    attributes |= {"experiment": correlation} if correlation else {}
    with _exporter.span(name, above, attributes, started, [link for link in links if parsed(link)]) as context:
        token = _inside.set(context)
        try:
            yield
        finally:
            _inside.reset(token)


@contextmanager
def handling(*events: Event) -> Iterator[None]:
    """A span for each event that is handled inside; events without a context have none."""
    if _exporter is None:
        yield
        return
    with ExitStack() as spans:
        contexts = {}
        for event in events:
            if parsed(event.traceparent):
                about: dict[str, str | int] = {"event": event.id, "key": event.key}
                about |= {"experiment": event.correlationid} if event.correlationid else {}
                handled = _exporter.span(event.type, event.traceparent, about, consumes=True)
                contexts[event.id] = spans.enter_context(handled)
        token = _handled.set(contexts)
        try:
            yield
        finally:
            _handled.reset(token)


def whole(correlation: str, name: str, started: datetime, ended: datetime, **attributes: str | int) -> None:
    """The span that stands for a whole experiment, once it has ended: all others are below it."""
    if _exporter is not None:
        _exporter.root(name, root_of(correlation), started, ended, {**attributes, "experiment": correlation})

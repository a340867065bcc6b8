"""OpenTelemetry's SDK: makes spans and sends them over OTLP/HTTP. Imported only where a collector is named.

Never waits for the collector: what cannot be sent is dropped, and said in the log once in a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from assay_chassis.telemetry import without_secrets
from assay_chassis.tracing.contexts import parsed

Attributes = Mapping[str, str | int]
SEND_EVERY_MS = 1000
SEND_TIMEOUT_S = 3.0
LONGEST_REASON = 500

_given: ContextVar[tuple[str, str] | None] = ContextVar("given", default=None)


class Exporter:
    """Makes a process's spans. Contexts go in and out as `traceparent`."""

    def __init__(self, service: str) -> None:
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": f"assay-{service}", "service.namespace": "assay"}),
            id_generator=_GivenOrRandom(),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(timeout=SEND_TIMEOUT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_MS))
        self._tracer = self._provider.get_tracer("assay")

    @contextmanager
    def span(
        self,
        name: str,
        parent: str,
        attributes: Attributes,
        started: datetime | None = None,
        links: Sequence[str] = (),
        consumes: bool = False,
    ) -> Iterator[str]:
        """A span around what is done inside; yields its context. An exception marks it as failed and goes on."""
        made = self._tracer.start_span(
            name,
            set_span_in_context(NonRecordingSpan(_context(parent))) if parent else None,
            kind=SpanKind.CONSUMER if consumes else SpanKind.INTERNAL,
            attributes=_named(attributes),
            links=[Link(_context(link)) for link in links],
            start_time=_nanoseconds(started),
        )
        try:
            yield _traceparent(made)
        except BaseException as error:
            reason = str(without_secrets(f"{type(error).__name__}: {error}"))[:LONGEST_REASON]
            made.set_status(Status(StatusCode.ERROR, reason))
            raise
        finally:
            made.end()

    def root(self, name: str, context: str, started: datetime, ended: datetime, attributes: Attributes) -> None:
        """The span whose context all others of its trace were given before it was made."""
        token = _given.set(parsed(context))
        try:
            made = self._tracer.start_span(name, attributes=_named(attributes), start_time=_nanoseconds(started))
        finally:
            _given.reset(token)
        made.end(_nanoseconds(ended))

    def close(self) -> None:
        self._provider.shutdown()


class _GivenOrRandom(IdGenerator):
    """The ids of a root span are known beforehand; all others are random."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        given = _given.get()
        return int(given[0], 16) if given else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        given = _given.get()
        return int(given[1], 16) if given else self._random.generate_span_id()


def _context(traceparent: str) -> SpanContext:
    ids = parsed(traceparent)
    assert ids is not None
    return SpanContext(int(ids[0], 16), int(ids[1], 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _traceparent(made: Span) -> str:
    context = made.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def _named(attributes: Attributes) -> dict[str, str | int]:
    return {f"assay.{name}": value for name, value in attributes.items()}


def _nanoseconds(at: datetime | None) -> int | None:
    return int(at.timestamp() * 1e9) if at is not None else None

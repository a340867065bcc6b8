"""Traces: off unless a collector is named, one for each experiment, and never in the way of the work."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from assay_chassis import tracing
from assay_chassis.errors import Misconfigured
from assay_chassis.publishing import make_event
from assay_chassis.tracing import contexts, spans
from assay_schemas.envelope import Event
from assay_schemas.events import ExperimentCancelRequested, JobProgressed

EXPERIMENT = "0b6a1c9e-1111-5222-8333-444455556666"
OTHER = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def cause(traceparent: str = "") -> Event:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(id="e", source="/s", type="t", time=now, data={}, correlationid=EXPERIMENT, traceparent=traceparent)


def said(**options: object) -> Event:
    payload = ExperimentCancelRequested(experiment_id=EXPERIMENT)
    return make_event("experiment.cancel.requested", payload, key="k", source="s", **options)  # type: ignore[arg-type]


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch):
    """Tracing is on, and what would be sent is kept."""
    from assay_chassis.tracing import exporting
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(exporting, "OTLPSpanExporter", lambda timeout: InMemorySpanExporter())
    assert tracing.start("test")
    kept = InMemorySpanExporter()
    assert spans._exporter is not None
    spans._exporter._provider.add_span_processor(SimpleSpanProcessor(kept))
    yield kept
    tracing.stop()


def test_the_trace_of_an_experiment_is_its_id_without_hyphens() -> None:
    assert tracing.trace_of(EXPERIMENT) == EXPERIMENT.replace("-", "")
    assert len(tracing.trace_of("anything else")) == 32
    assert contexts.parsed(contexts.root_of(EXPERIMENT)) is not None


@pytest.mark.parametrize("wrong", ["", "00-00-00-00", f"00-{'0' * 32}-{'a' * 16}-01", OTHER.upper(), OTHER + "\n"])
def test_what_is_no_context_is_none(wrong: str) -> None:
    assert contexts.parsed(wrong) is None


def test_while_it_is_off_contexts_pass_on_and_none_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in spans.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)  # a system that this process started may be traced
    assert not tracing.start("test")
    assert said(correlation=EXPERIMENT).traceparent == ""
    assert said(cause=cause(OTHER)).traceparent == OTHER
    assert tracing.labels_for(cause(OTHER)) == {}
    with tracing.span("work", correlation=EXPERIMENT), tracing.handling(cause(OTHER)):
        assert said(correlation=EXPERIMENT).traceparent == ""


def test_another_protocol_is_refused_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(Misconfigured, match="http/protobuf"):
        tracing.start("test")


def test_events_stand_below_the_span_that_made_them(collected) -> None:
    with tracing.span("plan", correlation=EXPERIMENT):
        event = said(correlation=EXPERIMENT)
    with tracing.handling(event):
        following = said(cause=event)
    handled, plan = collected.get_finished_spans()[::-1]
    assert plan.name == "plan"
    assert event.traceparent == f"00-{tracing.trace_of(EXPERIMENT)}-{plan.context.span_id:016x}-01"
    assert handled.parent.span_id == plan.context.span_id
    assert following.traceparent.split("-")[2] == f"{handled.context.span_id:016x}"


def test_an_event_of_another_experiment_does_not_stand_below_it(collected) -> None:
    with tracing.span("plan", correlation=EXPERIMENT), tracing.handling(cause(contexts.root_of(EXPERIMENT))):
        other = said(correlation="another", cause=cause(contexts.root_of(EXPERIMENT)))
    assert other.traceparent == contexts.root_of("another")


def test_the_experiment_as_a_whole_is_the_root_that_all_others_named_before(collected) -> None:
    with tracing.span("settle", correlation=EXPERIMENT):
        pass
    at = datetime(2026, 1, 1, tzinfo=UTC)
    tracing.whole(EXPERIMENT, "experiment", at, at, outcome="succeeded")
    settle, root = collected.get_finished_spans()
    assert root.parent is None
    assert (settle.context.trace_id, settle.parent.span_id) == (root.context.trace_id, root.context.span_id)


def test_an_exception_marks_the_span_without_its_secrets_and_goes_on(collected) -> None:
    with pytest.raises(ValueError), tracing.span("work", correlation=EXPERIMENT):
        raise ValueError("postgresql://assay:hunter2@host/assay does not answer")
    (span,) = collected.get_finished_spans()
    assert span.status.description.startswith("ValueError: postgresql://assay:")
    assert "hunter2" not in span.status.description
    assert span.events == ()


def test_a_request_that_came_with_a_trace_of_its_own_is_linked_to_it(collected) -> None:
    with tracing.span("requested", correlation=EXPERIMENT, links=(OTHER, "nonsense")):
        pass
    (span,) = collected.get_finished_spans()
    assert [f"{link.context.trace_id:032x}" for link in span.links] == ["ab" * 16]


def test_signs_of_life_are_no_part_of_a_trace(collected) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    body = JobProgressed(job_key="a" * 64, kind="training", attempt=1, sequence=1, phase="running", at=now)
    event = make_event("job.progressed", body, key="k", source="s", correlation=EXPERIMENT)
    assert event.traceparent == ""
    with tracing.handling(event):
        pass
    assert collected.get_finished_spans() == ()

"""Events are made with ids that repeat when they say the same, and know what caused them."""

from __future__ import annotations

import pytest
from assay_chassis.errors import EventTooLarge
from assay_chassis.publishing import encode_checked, make_event
from assay_schemas.envelope import Event
from assay_schemas.events import ExperimentCancelRequested

ID = "00000000-0000-5000-8000-000000000000"
PAYLOAD = ExperimentCancelRequested(experiment_id=ID, reason="done")


def made(**options: object) -> Event:
    given = {"key": ID, "source": "scheduler", **options}
    return make_event("experiment.cancel.requested", given.pop("payload", PAYLOAD), **given)


def test_saying_the_same_again_is_the_same_event() -> None:
    assert made().id == made().id
    assert made(payload=PAYLOAD.model_copy(update={"reason": "other"})).id != made().id
    assert made(id="given").id == "given"


def test_an_event_names_its_source_schema_cause_and_correlation() -> None:
    cause = Event(id="c1", source="/x", type="t", time="2026-01-01T00:00:00Z", data={}, correlationid="story")
    event = made(cause=cause)
    assert (event.source, event.subject, event.dataschema) == ("/scheduler", ID, "experiment.cancel.requested/1.0")
    assert (event.causationid, event.correlationid) == ("c1", "story")
    assert made(source="urn:pipeline").source == "urn:pipeline"


def test_an_event_over_the_limit_is_refused_with_the_mend() -> None:
    with pytest.raises(EventTooLarge, match="object store"):
        encode_checked(made(payload=PAYLOAD.model_copy(update={"reason": "x" * 300_000})))

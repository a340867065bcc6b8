"""The chain of events of one experiment, as it stands on the topics of real Kafka."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import jsonschema
import pytest
import system_ground as ground
from assay.run import Run
from assay_schemas.envelope import Event, Record
from assay_schemas.events import COMPLETION_TOPIC, REQUEST_TOPIC
from assay_schemas.results import Plan, PlannedJob
from system_ground import Ground, Tape

pytestmark = [pytest.mark.real, pytest.mark.slow]
SCHEMAS = ground.ROOT / "schemas" / "json" / "events"


@pytest.fixture(scope="module")
def ran(whole: Ground) -> tuple[Run, datetime]:
    """One experiment that went through the whole loop, and when it began."""
    since = ground.now()
    return whole.ended(whole.submit(seeds=[ground.new_seed(), ground.new_seed()])), since


@pytest.fixture
async def tape(whole: Ground, ran: tuple[Run, datetime]) -> Tape:
    run, since = ran
    tape: Tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id))
    return tape


def only(tape: Tape, topic: str, key: str) -> Event:
    (event,) = tape.of(topic, key)
    return event


def own_jobs(plan: Plan) -> list[PlannedJob]:
    """Those that no earlier experiment had done: control's evaluations may be among those."""
    return [job for job in plan.jobs if not job.reused]


def asked_and_done(tape: Tape, job: PlannedJob) -> tuple[Event, Event]:
    return only(tape, REQUEST_TOPIC[job.kind], job.key), only(tape, COMPLETION_TOPIC[job.kind], job.key)


async def test_every_event_of_the_loop_comes_once_and_after_what_it_follows_from(
    tape: Tape, ran: tuple[Run, datetime]
) -> None:
    run, _ = ran
    plan = run.plan()
    requested, accepted = only(tape, "experiment.requested", run.id), only(tape, "experiment.accepted", run.id)
    completed, published = only(tape, "experiment.completed", run.id), only(tape, "report.published", run.id)
    times = {job.key: asked_and_done(tape, job) for job in own_jobs(plan)}
    assert requested.time <= accepted.time
    for job in own_jobs(plan):
        asked, done = times[job.key]
        earliest = max([accepted.time, *(times[parent][1].time for parent in job.depends_on if parent in times)])
        assert earliest <= asked.time <= done.time <= completed.time, job
        assert done.data["outcome"] == "succeeded"
    assert completed.time <= published.time
    assert {job.kind for job in own_jobs(plan)} == {"training", "selection", "eval"}
    assert completed.data["outcome"] == published.data["outcome"] == "succeeded"


async def test_the_control_has_its_checkpoint_without_training(tape: Tape, ran: tuple[Run, datetime]) -> None:
    run, _ = ran
    jobs = {job.key for job in run.plan().jobs}
    (control,) = [event for event in tape.of("checkpoint.selected") if event.key not in jobs]
    assert control.data["checkpoint"]["step"] == 0


async def test_each_event_names_its_cause_and_the_experiment_it_belongs_to(
    tape: Tape, ran: tuple[Run, datetime]
) -> None:
    run, _ = ran
    plan = run.plan()
    known = {event.id for event in tape.events}
    for job in own_jobs(plan):
        for event in asked_and_done(tape, job):
            assert event.causationid in known | {""}, event
            assert event.correlationid == run.id, event
    assert only(tape, "report.published", run.id).causationid == only(tape, "experiment.completed", run.id).id


async def test_every_event_is_valid_against_its_schema_and_well_enveloped(
    tape: Tape, ran: tuple[Run, datetime]
) -> None:
    for record in tape.records:
        body = json.loads(record.value or b"")
        validator(record.topic).validate(body)
        headers = {name: (value or b"").decode() for name, value in record.headers}
        assert body["specversion"] == headers["ce_specversion"] == "1.0"
        assert body["type"] == headers["ce_type"] == record.topic
        assert (body["id"], body["source"]) == (headers["ce_id"], headers["ce_source"])
        assert body["dataschema"] == f"{record.topic}/1.0"
        assert key_of(record) == body["partitionkey"]
    assert tape.letters() == []


async def test_one_trace_follows_the_experiment_through_all_services(
    whole: Ground, tape: Tape, ran: tuple[Run, datetime], collector: Any
) -> None:
    if collector is None:
        pytest.skip("the exporter of traces is not installed; `make venv` installs it")
    run, _ = ran
    trace = run.id.replace("-", "")
    for event in tape.of("report.published", run.id):
        assert event.traceparent.split("-")[1] == trace
    spans = ground.until(lambda: whole_trace(collector.of_trace(trace)), "spans of the whole loop came", 30.0)
    names = {(span.service, span.name) for span in spans}
    assert names >= {
        ("assay-scheduler", "requested"),
        ("assay-scheduler", "plan"),
        ("assay-trainer", "training.requested"),
        ("assay-trainer", "training job"),
        ("assay-scheduler", "training.completed"),
        ("assay-evaluator", "selection.requested"),
        ("assay-evaluator", "eval job"),
        ("assay-scheduler", "eval.completed"),
        ("assay-scheduler", "settle"),
        ("assay-reporter", "experiment.completed"),
        ("assay-reporter", "report"),
    }
    by_id = {span.id: span for span in spans}
    (root,) = (span for span in spans if not span.parent)
    assert (root.name, root.attributes["assay.outcome"]) == ("experiment", "succeeded")
    assert all(span.parent in by_id for span in spans if span is not root)
    for job in (span for span in spans if span.name == "training job"):
        assert by_id[job.parent].name == "training.requested"
        assert {by.name for by in spans if by.parent == job.id} >= {"training.completed"}
        assert root.started <= job.started < job.ended <= root.ended
    assert not [span for span in spans if span.failed]


def whole_trace(spans: list[Any]) -> list[Any]:
    """Nothing while the first or the last span is missing: they come within a second or two."""
    names = {span.name for span in spans}
    return spans if {"experiment", "report", "experiment.completed", "plan", "eval job"} <= names else []


def validator(topic: str) -> Any:
    schema = json.loads((SCHEMAS / f"{topic}-1.0.json").read_text())
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def key_of(record: Record) -> str:
    return (record.key or b"").decode()

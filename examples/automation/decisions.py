"""From one event to the events that answer it: a snapshot asks for an experiment, a report leads to a decision.

Pure but for one read of the experiment's plan; ids are computed from what is answered, so a repeat says the same.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from assay.gate import Decision, decide
from assay.run import Run
from assay_schemas.envelope import Event
from assay_schemas.events import DatasetPublished, ExperimentRejected, ReportPublished
from assay_schemas.ids import NAMESPACE, experiment_id
from assay_schemas.topics import TOPICS

from examples.automation.settings import OWNER, Watch

SOURCE = "/automation/snapshot-gate"


def answers(event: Event, watch: Watch, now: datetime) -> list[Event]:
    """What is to be published because of an event; nothing for an event of others."""
    if event.type == "dataset.published":
        return _request(event, watch, now)
    if event.type == "experiment.rejected":
        return _refusal(event, watch, now)
    return _decision(event, watch, now)


def _request(event: Event, watch: Watch, now: datetime) -> list[Event]:
    body = DatasetPublished.model_validate(event.data)
    if watch.name and body.name != watch.name:
        return []
    document = watch.experiment(body.snapshot.digest, body.name)
    identity = str(uuid.uuid5(NAMESPACE, f"{SOURCE}\x1f{event.source}\x1f{event.id}"))
    return [_event("experiment.requested", identity, experiment_id(SOURCE, identity), document, event, now)]


def _refusal(event: Event, watch: Watch, now: datetime) -> list[Event]:
    """A request that was refused is no silence: the gate says that nothing is known of the data, and why."""
    body = ExperimentRejected.model_validate(event.data)
    if body.owner != OWNER:
        return []
    told = Decision(
        experiment_id=body.experiment_id,
        decision="inconclusive",
        policy=watch.policy.digest,
        reasons=[str(problem) for problem in body.problems],
        checks=[],
    )
    return [told.event(SOURCE, now).model_copy(update={"causationid": event.id})]


def _decision(event: Event, watch: Watch, now: datetime) -> list[Event]:
    """`gate.decided`, and for data that passed the downstream topic."""
    report = ReportPublished.model_validate(event.data)
    spec = Run(report.experiment_id, watch.settings).plan().spec
    if spec.owner != OWNER:
        return []
    decision = decide(watch.policy, report.experiment_id, report.verdicts)
    told = decision.event(SOURCE, now).model_copy(update={"causationid": event.id})
    if decision.decision != "pass":
        return [told]
    approved = {
        "snapshots": [arm.dataset for arm in spec.arms],
        "experiment_id": report.experiment_id,
        "report": report.url,
        "reasons": decision.reasons,
    }
    identity = str(uuid.uuid5(NAMESPACE, f"{watch.downstream}\x1f{told.id}"))
    return [told, _event(watch.downstream, identity, report.experiment_id, approved, event, now)]


def _event(topic: str, identity: str, key: str, data: dict[str, Any], cause: Event, now: datetime) -> Event:
    declared = TOPICS.get(topic)
    return Event(
        id=identity,
        source=SOURCE,
        type=topic,
        time=now,
        data=data,
        key=key,
        subject=key,
        dataschema=declared.dataschema if declared else f"{topic}/1.0",
        correlationid=key,
        causationid=cause.id,
    )

"""What must hold when all is quiet: every request ended in one way, nothing is left over, results are of their inputs.

Looks at tables, topics and the store; changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from assay_schemas.artifacts import manifest_key
from assay_schemas.envelope import Unreadable
from assay_schemas.events import COMPLETION_TOPIC
from assay_schemas.jobs import job_key
from assay_schemas.results import Plan
from pydantic import TypeAdapter

from simulation.database.server import Row
from simulation.invariants.read_model import ONCE
from simulation.parts.inspection import dataset
from simulation.workload import is_valid
from simulation.world import SimulatedWorld

PENDING = frozenset({"waiting", "ready"})
HOLDING = frozenset({"requested", "running", "cancelling"})


def is_quiet(world: SimulatedWorld) -> bool:
    """Whether nothing more is going to happen by itself."""
    tables = world.servers["scheduler"].tables
    return (
        world.asked_all
        and all(_has_ended(tables["experiments"].get(one)) for one in world.workload.experiments)
        and not any(cluster.runs or cluster.working() for cluster in world.clusters.values())
        and not any(_unpublished(world))
        and not any(row["state"] == "due" for row in world.servers["reporter"].tables["reports"].values())
        and not any(job["status"] in HOLDING for job in tables["jobs"].values())
        and all(world.log.caught_up(group) for group in world.log.groups.values())
    )


def _has_ended(row: Row | None) -> bool:
    return row is not None and row["status"] == "ended"


def _unpublished(world: SimulatedWorld) -> Iterator[Row]:
    for server in world.servers.values():
        yield from (row for row in server.tables["outbox"].values() if row["published_at"] is None)


def unfinished(world: SimulatedWorld) -> list[str]:
    """Why it is not quiet, in words."""
    tables = world.servers["scheduler"].tables
    words = [
        f"experiment {row['id'][:8]} is {row['status']}"
        for row in tables["experiments"].values()
        if row["status"] != "ended"
    ]
    words += [f"{row['type']} is not published" for row in _unpublished(world)]
    reports = world.servers["reporter"].tables["reports"].values()
    words += [
        f"report of {row['experiment_id'][:8]} is due: {row['failure']}" for row in reports if row["state"] == "due"
    ]
    words += [
        f"{job['kind']} {key[:8]} is {job['status']}, attempt {job['attempt']}"
        for key, job in tables["jobs"].items()
        if job["status"] in HOLDING | PENDING
    ]
    words += [f"run {run.name} is {run.state}" for cluster in world.clusters.values() for run in cluster.runs.values()]
    words += [f"group {group.name} is behind" for group in world.log.groups.values() if not world.log.caught_up(group)]
    words += [f"request of {one[:8]} is lost" for one in world.workload.experiments if one not in tables["experiments"]]
    return words


def check_ends(world: SimulatedWorld) -> None:
    """Tells the world of every promise that does not hold now."""
    _one_end_each(world)
    _nothing_left(world)
    _letters(world)
    _every_event_applied(world)
    for identity, document in world.workload.experiments.items():
        _results(world, identity, document)


def _one_end_each(world: SimulatedWorld) -> None:
    ids: dict[str, dict[str, set[bytes]]] = defaultdict(lambda: defaultdict(set))
    for topic in ("experiment.completed", "experiment.rejected"):
        for record in world.log.of(topic):
            event = world.read(record)
            ids[event.key][event.id].add(record.value or b"")
    for identity, document in world.workload.experiments.items():
        row = world.servers["scheduler"].tables["experiments"][identity]
        if len(ids[identity]) != 1 or any(len(said) != 1 for said in ids[identity].values()):
            world.tell("one completion", f"experiment {identity[:8]} was ended by {len(ids[identity])} events")
        if (row["outcome"] == "rejected") is is_valid(document):
            world.tell("one terminal state", f"experiment {identity[:8]} ended {row['outcome']}")
        if row["outcome"] == "cancelled" and identity not in world.workload.cancelled.values():
            world.tell("one terminal state", f"experiment {identity[:8]} was cancelled by nobody")
    if strangers := set(ids) - set(world.workload.experiments):
        world.tell("one completion", f"experiments nobody asked for ended: {sorted(strangers)}")


def _nothing_left(world: SimulatedWorld) -> None:
    tables = world.servers["scheduler"].tables
    open_ = [key for key, want in tables["wants"].items() if want["job_end"] is None]
    if open_:
        world.tell("nothing waits for ever", f"{len(open_)} wants have no end")
    if missing := world.records.unpublished():
        world.tell("events tell of effects", f"{len(missing)} committed events were never published")
    pending = [key[:8] for key, job in tables["jobs"].items() if job["status"] in PENDING]
    if pending:
        world.tell("cancelled work stops", f"jobs {pending} still wait, and nobody wants them")


def _letters(world: SimulatedWorld) -> None:
    letters = [record for topic in world.log.topics() if topic.endswith(".dlq") for record in world.log.of(topic)]
    reasons = {(record.topic, record.value): dict(record.headers).get("assay_reason", b"") for record in letters}
    rubbish = {(f"{one.topic}.dlq", one.value) for one in world.workload.asked if one.what == "rubbish"}
    if missing := rubbish - set(reasons):
        world.tell("refused records are kept", f"{len(missing)} records that are no events have no dead letter")
    for (topic, _), reason in reasons.items():
        if (topic, _) not in rubbish:
            world.tell("nothing is refused wrongly", f"{topic}: {(reason or b'').decode()[:300]}")


def _every_event_applied(world: SimulatedWorld) -> None:
    """Whatever lies on a topic that is read through the inbox was applied."""
    for topic in ("experiment.requested", "experiment.cancel.requested", *COMPLETION_TOPIC.values()):
        for record in world.log.of(topic):
            try:
                event = world.read(record)
            except Unreadable:
                continue
            if not world.rows.applied[event.source, event.id]:
                world.tell("no event is lost", f"{topic}/{record.partition}/{record.offset} was never applied")
                return
    for topic in ONCE:
        for event in map(world.read, world.log.of(topic)):
            if not world.reported.applied[event.source, event.id]:
                world.tell("no event is lost", f"{topic} {event.id} was never applied by the reporter")
                return


def _results(world: SimulatedWorld, identity: str, document: dict[str, Any]) -> None:
    """Each success of the experiment is a result of exactly the inputs that its specification declares."""
    tables = world.servers["scheduler"].tables
    row = tables["experiments"][identity]
    if row["plan"] is None:
        return
    plan = _PLAN.validate_python(row["plan"])
    ends = {want["job_key"]: want["job_end"] for want in tables["wants"].values() if want["experiment_id"] == identity}
    if set(ends) != {job.key for job in plan.jobs}:
        world.tell("the plan is carried out", f"experiment {identity[:8]} has other jobs than its plan")
    for job in plan.jobs:
        end = ends.get(job.key) or {}
        if end.get("outcome") == "succeeded" and end["result"] is not None:
            _made_of_its_inputs(world, job.key, end["result"]["uri"])
    locations = {arm["name"]: arm["dataset"] for arm in document["arms"]}
    jobs = {job.key: job for job in plan.jobs}
    for replicate in plan.replicates:
        if replicate.training is not None:
            inputs: Any = jobs[replicate.training].inputs
            if inputs.dataset != dataset(locations[replicate.arm]).digest or inputs.seed != replicate.seed:
                world.tell("reuse never crosses inputs", f"{replicate.arm}, seed {replicate.seed}: another's training")


def _made_of_its_inputs(world: SimulatedWorld, key: str, uri: str) -> None:
    attempt = uri.split("/")[-2]
    data = world.store.objects.get(manifest_key(key, int(attempt)))
    if data is None:
        world.tell("reuse never crosses inputs", f"job {key[:8]} has no manifest at {uri}")
        return
    made_of = world.made_of(data)
    if job_key(made_of.inputs) != key:
        world.tell("reuse never crosses inputs", f"job {key[:8]} has the result of other inputs")


_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)

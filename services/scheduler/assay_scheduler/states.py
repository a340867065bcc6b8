"""The scheduler's state as values: jobs, the experiments that want them, and the world they make up.

Holds no rule; lifecycle.py has those. The store loads and saves slices of a world.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from assay_schemas.artifacts import ArtifactRef, CheckpointRef, DatasetRef, ModelRef
from assay_schemas.events import Outcome
from assay_schemas.experiments import Hardware, Priority
from assay_schemas.ids import JobKind
from assay_schemas.jobs import JobError, JobInputs, Usage
from assay_schemas.results import JobEnd
from pydantic import BaseModel

from assay_scheduler.policy import Resources

JobStatus = Literal[
    "waiting", "ready", "requested", "running", "cancelling", "succeeded", "failed", "cancelled", "skipped"
]
ExperimentStatus = Literal["requested", "running", "settling", "ended"]
PENDING: frozenset[JobStatus] = frozenset({"waiting", "ready"})
WORKING: frozenset[JobStatus] = frozenset({"requested", "running"})
HOLDING: frozenset[JobStatus] = WORKING | {"cancelling"}
ENDED: frozenset[JobStatus] = frozenset({"succeeded", "failed", "cancelled", "skipped"})


@dataclass(frozen=True)
class Job:
    """A job by its key. `attempt` is the last one asked for (0: none yet): the fencing number.

    `model`, `dataset` and `training_result` are what its request needs besides the inputs; those that
    come from a job it depends on are filled in when that one succeeds.
    """

    key: str
    kind: JobKind
    inputs: JobInputs
    depends_on: tuple[str, ...] = ()
    hardware: Hardware = field(default_factory=Hardware)
    priority: Priority = "MED"
    status: JobStatus = "waiting"
    attempt: int = 0
    failures: int = 0
    lost: int = 0
    not_before: datetime | None = None
    ready_at: datetime | None = None
    requested_at: datetime | None = None
    heartbeat_at: datetime | None = None
    ended_at: datetime | None = None
    model: ModelRef | None = None
    dataset: DatasetRef | None = None
    training_result: ArtifactRef | None = None
    result: ArtifactRef | None = None
    checkpoint: CheckpointRef | None = None
    error: JobError | None = None
    usage: Usage = field(default_factory=Usage)


class Standing(NamedTuple):
    """What of a job says whether a word of an attempt is to be heeded."""

    status: JobStatus
    attempt: int


@dataclass(frozen=True)
class Want:
    """That an experiment wants a job, and how it ended for that experiment (None: it has not yet)."""

    experiment_id: str
    job_key: str
    arm: str = ""
    reused: bool = False
    reason: str = ""
    end: JobEnd | None = None


@dataclass(frozen=True)
class Experiment:
    """What the lifecycle knows of an experiment; `open` counts its wants that have no end yet."""

    id: str
    owner: str = ""
    priority: Priority = "MED"
    status: ExperimentStatus = "requested"
    cancelled: bool = False
    open: int = 0
    requested_at: datetime | None = None


WantKey = tuple[str, str]


@dataclass(frozen=True)
class World:
    """Everything, or the slice of it that one event can touch."""

    jobs: dict[str, Job] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    wants: dict[WantKey, Want] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """An event to publish; `about` makes its id, so that saying it again is the same event.

    `correlation` is the experiment it belongs to: for a job, one that wants it.
    """

    topic: str
    key: str
    payload: BaseModel
    about: tuple[str | int, ...]
    correlation: str = ""


@dataclass(frozen=True)
class Limits:
    """How often a job is tried. Backoff before retry n (from 0) is `backoff_s` × 2ⁿ, at most `backoff_cap_s`."""

    retries: int = 2
    lost: int = 5
    backoff_s: float = 5.0
    backoff_cap_s: float = 300.0
    deadline_s: float = 86400.0


# What happens: the inputs of lifecycle.decide. `at` is when, as the edge saw it.


@dataclass(frozen=True)
class Wanted:
    """A job of a plan as it would be if it were new; `arm` is who asks, `reason` says why nothing fits it."""

    job: Job
    arm: str = ""
    reason: str = "never seen before"


@dataclass(frozen=True)
class Planned:
    """An experiment's jobs are known. Dependencies come before what depends on them."""

    experiment_id: str
    jobs: tuple[Wanted, ...]
    at: datetime


@dataclass(frozen=True)
class Admitted:
    """There is room for a job; `need` is what was reckoned with (None: whatever it needs), `owner` whose it counts as
    (None: whoever's)."""

    job_key: str
    at: datetime
    need: Resources | None = None
    owner: str | None = None


@dataclass(frozen=True)
class Completed:
    job_key: str
    attempt: int
    outcome: Outcome
    at: datetime
    result: ArtifactRef | None = None
    checkpoint: CheckpointRef | None = None
    error: JobError | None = None
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class LeaseLapsed:
    """An attempt seemed silent; it is judged again by what is known of the job when its row is held."""

    job_key: str
    attempt: int
    at: datetime
    lease: timedelta = timedelta()
    start_lease: timedelta = timedelta()


@dataclass(frozen=True)
class JobCancelled:
    """A person asks to stop one job, whoever wants it."""

    job_key: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class ExperimentCancelled:
    experiment_id: str
    at: datetime
    reason: str = ""


Happening = Planned | Admitted | Completed | LeaseLapsed | JobCancelled | ExperimentCancelled

"""The payload of every event type. Past tense states a fact; `.requested` is a command.

Written by these closed classes, read ignoring fields a newer minor version may have added.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from assay_schemas.artifacts import ArtifactRef, CheckpointRef, DatasetRef
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.ids import ExperimentId, JobKey, JobKind, Sha256
from assay_schemas.jobs import EvalRequest, JobError, SelectionRequest, TrainingRequest, Usage
from assay_schemas.problems import Problem
from assay_schemas.reports import Verdict

Outcome = Literal["succeeded", "failed", "cancelled"]
ExperimentOutcome = Literal["succeeded", "partial", "failed", "cancelled"]
Phase = Literal["queued", "starting", "running", "finishing"]


class Payload(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ExperimentAccepted(Payload):
    """The scheduler took the experiment in; the plan in the object store names every job."""

    experiment_id: ExperimentId
    name: str
    owner: str
    question: str = ""
    plan: ArtifactRef
    jobs: int = Field(ge=0)
    reused: int = Field(ge=0)
    warnings: list[str] = Field(default_factory=list)


class ExperimentRejected(Payload):
    experiment_id: ExperimentId
    name: str = ""
    owner: str = ""
    problems: list[Problem] = Field(min_length=1)


class ExperimentCancelRequested(Payload):
    experiment_id: ExperimentId
    reason: str = ""


class JobCancelRequested(Payload):
    """Stop the work on a job: one attempt, or every attempt where none is named."""

    job_key: JobKey
    kind: JobKind
    attempt: int | None = None
    reason: str = ""


class JobProgressed(Payload):
    """How far an attempt is, and that it lives. The latest `sequence` of the latest attempt is what holds."""

    job_key: JobKey
    kind: JobKind
    attempt: int = Field(ge=1)
    sequence: int = Field(ge=0)
    phase: Phase
    at: AwareDatetime
    step: int = Field(default=0, ge=0)
    total: int = Field(default=0, ge=0)
    message: str = ""
    eta_s: float | None = None
    metrics: dict[str, float] = Field(default_factory=dict)
    shares: str = Field(default="", description="the run that does this job and others, one after another, if any")


class JobCompleted(Payload):
    """The end of an attempt. A success references its result manifest; anything else says why.

    Attempts count from 1; 0 is read too, as an attempt older than any the scheduler asked for.
    """

    job_key: JobKey
    attempt: int = Field(ge=0)
    outcome: Outcome
    result: ArtifactRef | None = None
    error: JobError | None = None
    completed_at: AwareDatetime
    usage: Usage = Field(default_factory=Usage)


class TrainingCompleted(JobCompleted):
    kind: Literal["training"] = "training"


class EvalCompleted(JobCompleted):
    kind: Literal["eval"] = "eval"


class CheckpointSelected(JobCompleted):
    """Which checkpoint stands for a replicate; for control it is the base model, at step 0."""

    kind: Literal["selection"] = "selection"
    checkpoint: CheckpointRef | None = None


class ExperimentCompleted(Payload):
    """Every job has ended; the result in the object store lists every replicate × benchmark."""

    experiment_id: ExperimentId
    name: str
    owner: str
    outcome: ExperimentOutcome
    result: ArtifactRef
    jobs: int = 0
    reused: int = 0


class ReportPublished(Payload):
    """The verdicts in machine-readable form, and where the report is to read."""

    experiment_id: ExperimentId
    name: str
    outcome: ExperimentOutcome
    sentence: str
    verdicts: list[Verdict]
    html: ArtifactRef
    markdown: ArtifactRef
    document: ArtifactRef
    url: str = ""


class BudgetedArm(Payload):
    """What one look decided about an arm: `seeds` it has had, `added` for the next look."""

    arm: str
    action: Literal["decided", "out_of_reach", "added", "kept", "stopped"]
    seeds: int
    added: int = 0
    reason: str


class ExperimentBudget(Payload):
    """A look at an experiment with a budget: what was spent, which arms stop, and the experiment that goes on."""

    experiment_id: ExperimentId
    first: ExperimentId
    look: int = Field(ge=1)
    looks: int = Field(ge=2)
    runs: int
    used: int
    arms: list[BudgetedArm]
    more_items: dict[str, int] = Field(default_factory=dict, description="new limits, by the benchmark's id")
    next: ExperimentId | None = None
    saved_runs: int = Field(default=0, description="runs of the budget that were not needed; once it has ended")

    @property
    def settled(self) -> bool:
        """Whether nothing is open any more that more runs could have settled."""
        return all(arm.action in ("decided", "out_of_reach") for arm in self.arms)


class DatasetPublished(Payload):
    snapshot: DatasetRef
    name: str = ""
    labels: dict[str, str] = Field(default_factory=dict)


class GateDecided(Payload):
    experiment_id: ExperimentId
    decision: Literal["pass", "block", "inconclusive"]
    policy: Sha256
    reasons: list[str] = Field(default_factory=list)


PAYLOADS: dict[str, type[BaseModel]] = {
    "experiment.requested": ExperimentSpec,
    "experiment.accepted": ExperimentAccepted,
    "experiment.rejected": ExperimentRejected,
    "experiment.cancel.requested": ExperimentCancelRequested,
    "training.requested": TrainingRequest,
    "selection.requested": SelectionRequest,
    "eval.requested": EvalRequest,
    "job.cancel.requested": JobCancelRequested,
    "job.progressed": JobProgressed,
    "training.completed": TrainingCompleted,
    "checkpoint.selected": CheckpointSelected,
    "eval.completed": EvalCompleted,
    "experiment.completed": ExperimentCompleted,
    "report.published": ReportPublished,
    "experiment.budget": ExperimentBudget,
    "dataset.published": DatasetPublished,
    "gate.decided": GateDecided,
}

REQUEST_TOPIC: dict[JobKind, str] = {
    "training": "training.requested",
    "selection": "selection.requested",
    "eval": "eval.requested",
}
COMPLETION_TOPIC: dict[JobKind, str] = {
    "training": "training.completed",
    "selection": "checkpoint.selected",
    "eval": "eval.completed",
}


def payload(event_type: str, data: dict[str, Any]) -> BaseModel:
    """The typed payload of an event. Raises pydantic.ValidationError, and KeyError for an unknown type."""
    return PAYLOADS[event_type].model_validate(data)

"""Result manifests and plans as they lie in the object store.

A manifest is written last and atomically: where it exists, everything it names exists.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from assay_schemas.artifacts import ArtifactRef, CheckpointRef, DatasetRef, ModelRef
from assay_schemas.cost.estimate import PlanCost
from assay_schemas.events import ExperimentOutcome
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.ids import ExperimentId, JobKey, JobKind, Sha256
from assay_schemas.jobs import EvalInputs, JobError, JobInputs, SelectionInputs, TrainingInputs, Usage


class Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    job_key: JobKey
    attempt: int = Field(ge=1)
    completed_at: AwareDatetime
    usage: Usage = Field(default_factory=Usage)
    libraries: dict[str, str] = Field(default_factory=dict, description="name to version, of what computed this")


class SavedCheckpoint(BaseModel):
    """A checkpoint and its mean loss per token on the validation rows (None where there are none)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    checkpoint: CheckpointRef
    validation_loss: float | None = None


class TrainingResult(Manifest):
    kind: Literal["training"] = "training"
    inputs: TrainingInputs
    checkpoints: list[SavedCheckpoint] = Field(min_length=1)
    metrics: ArtifactRef | None = Field(default=None, description="JSONL, one record a logged step")
    steps: int
    rows: int
    validation_rows: int
    rows_truncated: int = 0
    rows_dropped: int = 0
    tokens: int = 0
    final_loss: float | None = None
    resumed_from_step: int = 0


class SelectionResult(Manifest):
    """The chosen checkpoint, and every candidate's score in the policy's own unit: a loss, or `metric`.

    For best_benchmark `items` were asked of each candidate, and `samples` has every answer, by step.
    """

    kind: Literal["selection"] = "selection"
    inputs: SelectionInputs
    checkpoint: CheckpointRef
    scores: dict[int, float | None] = Field(default_factory=dict, description="step to score")
    metric: str = "validation_loss"
    higher_is_better: bool = False
    items: int = 0
    samples: dict[int, ArtifactRef] = Field(default_factory=dict, description="step to Parquet file")
    reason: str = ""


class Metric(BaseModel):
    """A metric over `items`. `interval`: 95 %, where it is a mean over items; an item's samples are one cluster."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    value: float
    higher_is_better: bool = True
    items: int = 0
    interval: tuple[float, float] | None = None


class Contamination(BaseModel):
    """How many of the asked items stand, in parts, in the snapshot `dataset` that the model was trained on.

    `overlap` is a Parquet file with a row for each item, joined to samples by `item_id` (docs/contamination.md).
    `unknown` items are too short to tell.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    dataset: Sha256
    overlap: ArtifactRef
    items: int
    contaminated: int
    unknown: int = 0


class Membership(BaseModel):
    """How familiar the model is with the items' texts; with `parameters.min_k`, which is `share`.

    `scores` is a Parquet file with a row for each item, joined to samples by `item_id` (docs/contamination.md). Means
    over the items that have two tokens or more; higher is more familiar.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    scores: ArtifactRef
    share: float
    items: int
    min_k: float | None = None
    min_k_plus_plus: float | None = None


class EvalResult(Manifest):
    """Aggregates of one model on one benchmark; every sample is in the Parquet file `samples`.

    `primary` names the metric that leads; its per-item values are the samples' `score` column.
    """

    kind: Literal["eval"] = "eval"
    inputs: EvalInputs
    model: ModelRef
    metrics: dict[str, Metric]
    primary: str
    samples: ArtifactRef
    items: int
    items_failed: int = 0
    prompt_digest: str = Field(default="", description="over prompts by item: equal ones asked the same")
    data_digest: str = Field(default="", description="of the items' snapshot, else over the items' ids")
    contamination: Contamination | None = Field(default=None, description="None for a model not trained here")
    membership: Membership | None = Field(default=None, description="None where parameters.min_k is not given")


JobResult = Annotated[TrainingResult | SelectionResult | EvalResult, Field(discriminator="kind")]


class Sample(BaseModel):
    """One row of `samples.parquet`: an item, one response of the model to it, and its score."""

    model_config = ConfigDict(frozen=True)

    item_id: str
    item_index: int
    sample_index: int = 0
    prompt: str
    images: tuple[str, ...] = Field(default=(), description="keys in the object store, in the order they were shown")
    target: str
    response: str = ""
    extracted: str | None = None
    score: float | None = Field(default=None, description="None where the item failed")
    tokens: int = 0
    finish_reason: str = ""
    logprob: float | None = None
    token_ids: tuple[int, ...] = ()
    token_logprobs: tuple[float, ...] = Field(default=(), description="natural logs, before temperature and top-p")
    scorer: str = Field(default="", description="name/version of what scored, with its parameters")
    details: str = Field(default="{}", description="JSON: the benchmark's other per-item values")
    error: str = ""


class PlannedJob(BaseModel):
    """A job of the plan; `reused` jobs were done, or running, for another experiment. `reason` says why or why not.
    `joined`: of reused ones those that had not ended when the plan was made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: JobKey
    kind: JobKind
    inputs: JobInputs
    depends_on: list[JobKey] = Field(default_factory=list)
    reused: bool = False
    joined: bool = False
    reason: str = ""


class PlannedArm(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    role: Literal["control", "arm", "placebo", "reference"]
    dataset: DatasetRef | None = None
    model: ModelRef | None = Field(default=None, description="of a reference, which is evaluated and never trained")
    description: str = ""


class PlannedBenchmark(BaseModel):
    """A benchmark of the plan; `id` is its name, numbered where one name is used twice."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    name: str
    harness_version: str
    primary: str
    higher_is_better: bool
    smallest_effect: float
    smallest_effect_is_relative: bool = False
    items: DatasetRef | None = None


class PlannedReplicate(BaseModel):
    """An arm × a seed (seed None for control): its jobs by key, evals by benchmark id."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    arm: str
    seed: int | None = None
    training: JobKey | None = None
    selection: JobKey | None = None
    evals: dict[str, JobKey]


class Plan(BaseModel):
    """`experiments/<id>/plan.json`: the job graph of an experiment, as it was decided at planning."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    experiment_id: ExperimentId
    spec: ExperimentSpec
    owner: str
    model: ModelRef
    arms: list[PlannedArm]
    benchmarks: list[PlannedBenchmark]
    replicates: list[PlannedReplicate]
    jobs: list[PlannedJob]
    warnings: list[str] = Field(default_factory=list)
    cost: PlanCost | None = Field(default=None, description="estimated at planning; None where it could not be")

    @field_validator("spec", mode="before")
    @classmethod
    def _what_is_known(cls, value: Any) -> Any:
        """A request may not hold what nobody knows; what a newer scheduler has planned may."""
        return ExperimentSpec.model_validate(value, extra="ignore") if isinstance(value, dict) else value

    def benchmark(self, id_: str) -> PlannedBenchmark:
        """The benchmark with that id. Raises KeyError."""
        return {one.id: one for one in self.benchmarks}[id_]


def job_titles(plan: Plan) -> dict[str, str]:
    """What each job of a plan does, in words, by its key: `train clean, seed 0`. A shared job has its first use's."""
    titles: dict[str, str] = {}
    for replicate in plan.replicates:
        who = replicate.arm if replicate.seed is None else f"{replicate.arm}, seed {replicate.seed}"
        if replicate.training:
            titles.setdefault(replicate.training, f"train {who}")
        if replicate.selection:
            titles.setdefault(replicate.selection, f"select the checkpoint of {who}")
        for benchmark, key in replicate.evals.items():
            titles.setdefault(key, f"{benchmark} of {who}")
    return titles


class JobEnd(BaseModel):
    """How one job of an experiment ended; `skipped` means that something it depended on did not succeed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: JobKey
    kind: JobKind
    outcome: Literal["succeeded", "failed", "cancelled", "skipped"]
    attempt: int | None = None
    reused: bool = False
    result: ArtifactRef | None = None
    error: JobError | None = None
    usage: Usage = Field(default_factory=Usage)


class ExperimentResult(BaseModel):
    """`experiments/<id>/result.json`: all a report needs; replicates and benchmarks are in the plan."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    experiment_id: ExperimentId
    outcome: ExperimentOutcome
    plan: ArtifactRef
    ends: list[JobEnd]
    requested_at: AwareDatetime | None = None
    completed_at: AwareDatetime

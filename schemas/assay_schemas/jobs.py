"""Jobs: the declared inputs whose digest is the job key, and what a worker is asked to do.

Placement, paths, priority, owner and times never enter the inputs: equal inputs are the same work.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from assay_schemas.algorithms import AlgorithmName
from assay_schemas.artifacts import ArtifactRef, DatasetRef, ModelRef
from assay_schemas.benchmarks import AnyEngine
from assay_schemas.canonical import digest_of
from assay_schemas.datasets import in_share
from assay_schemas.experiments import Hardware, Priority, SelectionPolicy
from assay_schemas.ids import JobKey, Sha256

VALIDATION_SALT = "validation"
SELECTION_SALT = "selection"
REPEATS = re.compile(r"(~\d+)+$")


class Inputs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TrainingInputs(Inputs):
    """Everything that decides a training run's weights. Validation rows are split off by row id hash."""

    kind: Literal["training"] = "training"
    algorithm: AlgorithmName
    engine_version: str
    model: Sha256
    dataset: Sha256
    hyperparameters: dict[str, Any]
    interventions: list[dict[str, Any]] = Field(default_factory=list)
    seed: int
    rollout_engine: str | None = None


class ItemSplit(Inputs):
    """One side of a benchmark's items, told apart by the hash of their ids, before any limit.

    `selection` is the share that may choose a checkpoint, `reported` all others: no item is on both sides.
    """

    share: float = Field(gt=0.0, lt=1.0)
    side: Literal["selection", "reported"]
    salt: str = SELECTION_SALT

    def holds(self, item_id: str, cluster: str | None = None) -> bool:
        """Whether an item is on this side. Items of one cluster are on the same side, and so are repeats of one id
        (`a`, `a~2`)."""
        chosen = in_share(cluster or REPEATS.sub("", item_id), self.share, self.salt)
        return chosen == (self.side == "selection")


class EvalInputs(Inputs):
    """One model on one benchmark. The model is a digest (control) or the selection that chooses it."""

    kind: Literal["eval"] = "eval"
    model: Sha256 | None = None
    selection: JobKey | None = None
    benchmark: str
    harness_version: str
    parameters: dict[str, Any]
    items: Sha256 | None = None
    split: ItemSplit | None = Field(default=None, description="the side of the items that is asked; None: all")
    limit: int | None = None
    engine: AnyEngine = "transformers"
    dtype: Literal["float32", "bfloat16"] = "float32"
    seed: int = 0


class SelectionInputs(Inputs):
    """Which training run a checkpoint is chosen from, how, and on which items: never on reported ones."""

    kind: Literal["selection"] = "selection"
    training: JobKey
    policy: SelectionPolicy
    items: str = Field(default="validation", description="the split that decides, by its salt")
    benchmark: str | None = None
    share: float | None = None
    evaluation: EvalInputs | None = Field(
        default=None, description="how best_benchmark scores each checkpoint; it names no model"
    )


JobInputs = Annotated[TrainingInputs | SelectionInputs | EvalInputs, Field(discriminator="kind")]


def job_key(inputs: TrainingInputs | SelectionInputs | EvalInputs) -> str:
    """The job key: SHA-256 over the canonical JSON of the declared inputs."""
    return digest_of(inputs)


class JobRequest(BaseModel):
    """What every `*.requested` of a job carries; `deadline_s` counts from when the attempt starts to run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job_key: JobKey
    attempt: int = Field(ge=1)
    priority: Priority = "MED"
    owner: str = Field(default="", description="who first had it done; a cluster may have a queue for them")
    hardware: Hardware = Field(default_factory=Hardware)
    deadline_s: float = Field(default=86400.0, gt=0)

    @field_validator("hardware", mode="before")
    @classmethod
    def _what_is_known(cls, value: Any) -> Any:
        """A specification may not name hardware that nobody knows; a newer scheduler's request may."""
        return Hardware.model_validate(value, extra="ignore") if isinstance(value, dict) else value


class TrainingRequest(JobRequest):
    inputs: TrainingInputs
    model: ModelRef
    dataset: DatasetRef


class SelectionRequest(JobRequest):
    """`training_result` is the manifest that lists the checkpoints; `items` are what best_benchmark asks."""

    inputs: SelectionInputs
    training_result: ArtifactRef
    items: DatasetRef | None = None


class EvalRequest(JobRequest):
    inputs: EvalInputs
    model: ModelRef
    items: DatasetRef | None = None


class JobError(BaseModel):
    """Why a job failed: a class people can search for, whether trying again can help, and the log's end."""

    model_config = ConfigDict(frozen=True, extra="ignore", serialize_by_alias=True)

    class_: str = Field(alias="class", description="diverged, out_of_memory, killed, timeout, lost, bad_input, …")
    retryable: bool
    message: str
    log: str = ""

    @classmethod
    def of(cls, class_: str, message: str, *, retryable: bool, log: str = "") -> JobError:
        return cls.model_validate({"class": class_, "message": message, "retryable": retryable, "log": log})


class Usage(BaseModel):
    """What an attempt cost: seconds of wall, processor and device time, peak memory in GiB.

    `gpu_energy_j`: joules by the counters of its GPUs; None where they did not tell.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    wall_s: float = 0.0
    cpu_s: float = 0.0
    gpu_s: float = 0.0
    gpu_energy_j: float | None = None
    peak_memory_gib: float = 0.0
    tokens: int = 0

"""The experiment specification: what a researcher asks for, closed to unknown keys.

Structure only; `across_fields.py` checks what spans several fields, the scheduler what lies in files.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from assay_schemas.algorithms import AlgorithmName
from assay_schemas.benchmarks import Engine
from assay_schemas.ids import ExperimentId, Name
from assay_schemas.interventions import InterventionKind
from assay_schemas.parallelism import Parallelism
from assay_schemas.problems import SINK_PATTERN

Priority = Literal["LOW", "MED", "HIGH"]
PRIORITIES: tuple[Priority, ...] = ("LOW", "MED", "HIGH")
SelectionPolicy = Literal["last", "best_validation", "best_benchmark"]
CONTROL = "control"
PLACEBO = "placebo"
RESERVED_ARMS = (CONTROL, PLACEBO)
MAX_SEEDS = 100
DEFAULT_SEEDS = 3


class SpecModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def safe_location(location: str) -> str:
    """A path, file://, s3://, hf: or sha256: location that cannot climb out of its folder or reach a raw address."""
    scheme, _, rest = location.rpartition("://") if "://" in location else ("", "", location)
    if scheme not in ("", "file", "s3"):
        raise ValueError(f"scheme {scheme}:// is not read here; use a path, file://, s3://, hf: or sha256:")
    if ".." in re.split(r"[/\\]", rest):
        raise ValueError("'..' would leave the folder; give the whole path")
    if scheme == "s3" and _is_address(rest.split("/", 1)[0]):
        raise ValueError("an S3 bucket has a name, not a network address; give s3://bucket/key")
    if scheme == "s3" and re.search("[@:]", rest.split("/", 1)[0]):
        raise ValueError("a location holds no user, password or port: those are the operator's; give s3://bucket/key")
    if "\x00" in location:
        raise ValueError("a path holds no null character")
    return location


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.rsplit(":", 1)[0] if host.count(":") == 1 else host.strip("[]"))
    except ValueError:
        return host == "localhost" or host == ""
    return True


Location = Annotated[str, Field(min_length=1, max_length=2048), AfterValidator(safe_location)]
SinkName = Annotated[str, Field(pattern=SINK_PATTERN)]


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]],
    WithJsonSchema(
        {
            "description": "a count n, which stands for 0 … n-1, or a list of distinct seeds",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_SEEDS},
                {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "uniqueItems": True},
            ],
        }
    ),
]


class Training(SpecModel):
    algorithm: AlgorithmName
    engine_version: str | None = None
    hyperparameters: dict[str, Any] = Field(default_factory=dict)


class ArmTraining(SpecModel):
    """What an arm changes in the experiment's training; its hyperparameters are laid over the experiment's."""

    engine_version: str | None = None
    hyperparameters: dict[str, Any] = Field(default_factory=dict)


class Intervention(SpecModel):
    """A change of an arm's rows, made by the training job: `fraction` of them, chosen by row id and seed."""

    kind: InterventionKind
    fraction: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    column: str | None = None
    values: list[str] | None = None


class ArmSpec(SpecModel):
    """One condition: data to train on, or `model`, a reference that is evaluated and never trained."""

    name: Name
    dataset: Location | None = None
    model: Location | None = None
    interventions: list[Intervention] = Field(default_factory=list)
    training: ArmTraining | None = None
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] | None = Field(
        default=None, description="of this arm; default: the experiment's", min_length=1, max_length=MAX_SEEDS
    )
    description: str = Field(default="", max_length=2000)

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, value: list[int] | None) -> list[int] | None:
        if value is not None and len(set(value)) != len(value):
            raise ValueError("each seed is listed once; equal seeds are the same run")
        return value


class Budget(SpecModel):
    """Look early and often: after each look arms stop, or get seeds or items, until the runs are used up.

    `runs`: training runs at most, over all looks, the placebo's among them. `looks`: how often at most verdicts are
    given; each look is judged more strictly, so that all of them together keep the level. `look` and `first` are
    set where the reporter asks for the next look.
    """

    runs: Annotated[int, Field(ge=1, le=10_000)]
    looks: Annotated[int, Field(ge=2, le=20)] = 4
    look: Annotated[int, Field(ge=1, le=20)] = 1
    first: ExperimentId | None = None

    @field_validator("look")
    @classmethod
    def _one_of_the_looks(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("looks", value):
            raise ValueError("is beyond the last look; leave it out, the reporter counts looks")
        return value


class Selection(SpecModel):
    policy: SelectionPolicy = "best_validation"
    benchmark: str | None = None
    share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.2


class BenchmarkSpec(SpecModel):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    harness_version: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict)
    limit: Annotated[int, Field(ge=1)] | None = None
    engine: Engine | None = None
    smallest_effect: Annotated[float, Field(gt=0.0)] | None = None


def _auto_is_none(value: Any) -> Any:
    return None if value == "auto" else value


ParallelismOrAuto = Annotated[
    Parallelism | None,
    BeforeValidator(_auto_is_none),
    WithJsonSchema({"anyOf": [Parallelism.model_json_schema(), {"const": "auto"}, {"type": "null"}]}),
]


class Hardware(SpecModel):
    """What one job gets: devices, cores, memory in GiB; `nodes` machines of that size.

    `parallelism` says how one training job is spread over processes; none of this changes what is computed.
    """

    gpus: int = Field(default=0, ge=0, le=64)
    gpu_type: str | None = None
    cpus: float = Field(default=1, gt=0, le=1024)
    memory_gib: float = Field(default=4, gt=0, le=65536)
    nodes: int = Field(default=1, ge=1, le=4096)
    parallelism: ParallelismOrAuto = Field(default=None, description="None: auto, chosen from model, memory, devices")
    activation_checkpointing: bool = Field(default=False, description="compute activations again in backward passes")
    cpu_offload: bool = Field(default=False, description="keep weights and optimizer state in main memory")
    rollout_actors: int = Field(
        default=0,
        ge=0,
        le=256,
        description="PPO and GRPO on the ray backend: processes that sample beside the trainer, with a core, or where "
        "there are GPUs a GPU, each",
    )

    @property
    def all_gpus(self) -> int:
        """Those of a training job: of all its machines, and of the processes that sample beside it."""
        return self.gpus * self.nodes + (self.rollout_actors if self.gpus else 0)

    @field_validator("parallelism")
    @classmethod
    def _over_all_devices(cls, value: Parallelism | None, info: ValidationInfo) -> Parallelism | None:
        devices = info.data.get("gpus", 0) * info.data.get("nodes", 1)
        if value is not None and devices and value.processes != devices:
            raise ValueError(
                f"its degrees multiply to {value.processes}, and there are {devices} GPUs; make them equal"
            )
        return value


class ExperimentSpec(SpecModel):
    """The value of `experiment.requested`, the body of POST /experiments and the file `assay submit` reads."""

    name: Annotated[str, Field(min_length=1, max_length=200)] = "experiment"
    question: str = Field(default="", max_length=2000)
    owner: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    base_model: Location
    training: Training
    arms: Annotated[list[ArmSpec], Field(min_length=1, max_length=200)]
    seeds: Seeds = Field(default_factory=lambda: list(range(DEFAULT_SEEDS)))
    placebo: bool = False
    selection: Selection = Field(default_factory=Selection)
    benchmarks: Annotated[list[BenchmarkSpec], Field(min_length=1, max_length=200)]
    priority: Priority = "MED"
    hardware: Hardware = Field(
        default_factory=Hardware, description="default: the standard for the model's size, or one core and 4 GiB"
    )
    evaluation_hardware: Hardware | None = Field(
        default=None, description="what each eval gets; default: `hardware`, or the standard where neither is given"
    )
    sinks: list[SinkName] = Field(default_factory=list)
    retry_of: str | None = None
    budget: Budget | None = Field(default=None, description="None: all seeds at once, one look")

    @field_validator("seeds", mode="before")
    @classmethod
    def _count_or_list(cls, value: Any) -> Any:
        """A count n stands for the seeds 0 … n-1."""
        if isinstance(value, int) and not isinstance(value, bool):
            if not 1 <= value <= MAX_SEEDS:
                raise ValueError(f"a count of seeds is between 1 and {MAX_SEEDS}")
            return list(range(value))
        return value

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if not value or len(value) > MAX_SEEDS:
            raise ValueError(f"give between 1 and {MAX_SEEDS} seeds")
        if len(set(value)) != len(value):
            raise ValueError("each seed is listed once; equal seeds are the same run")
        return value

    @property
    def placebo_seeds(self) -> list[int]:
        """The placebo's seeds: as many as the experiment has, from one above the largest of these; seeds that single
        arms have besides are chosen above them."""
        return [max(self.seeds) + 1 + offset for offset in range(len(self.seeds))]

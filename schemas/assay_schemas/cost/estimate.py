"""The price of an experiment before it runs: operations, hours and memory of every job of its plan.

Pure functions of the plan and of what was found of its model and data; never decides whether to run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from assay_schemas.cost.evaluation import evaluation_memory, evaluation_pieces, evaluation_tokens
from assay_schemas.cost.flops import SOURCE
from assay_schemas.cost.hardware import START_SECONDS
from assay_schemas.cost.machine import Machine, Piece, machine_of
from assay_schemas.cost.memory import Dtype, Memory
from assay_schemas.cost.parallelism import layout_of
from assay_schemas.cost.shape import ModelShape
from assay_schemas.cost.tokens import Length, TokenSample
from assay_schemas.cost.training import Run, memory_of_run, run_of, trained_tokens, training_pieces
from assay_schemas.experiments import Hardware
from assay_schemas.ids import JobKind
from assay_schemas.jobs import EvalInputs, TrainingInputs
from assay_schemas.parallelism import Parallelism


class Estimate(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class JobCost(Estimate):
    """One job. `device_hours` are GPU-hours, or core-hours where there is no GPU; `memory` is of its largest
    process, and `fits` says whether that is within `memory_available_gib` (None: not known)."""

    flops: float
    hours: float
    device_hours: float
    tokens: float
    memory: Memory
    memory_available_gib: float | None
    fits: bool | None
    parallelism: Parallelism = Field(default_factory=Parallelism)
    parallelism_reason: str = ""


class DataTokens(Estimate):
    """What was counted of one dataset: rows in it, rows looked at, tokens of a sequence on average, and how."""

    rows: int
    sampled_rows: int
    mean_tokens: float
    source: Literal["tokenizer", "bytes_per_token"]


class PlanCost(Estimate):
    """The cost of a plan's jobs by job key, and the sums over those that are not reused."""

    device: Literal["gpu", "cpu"]
    machine: str
    parameters: int
    parameters_by_kind: dict[str, int]
    tokens: dict[str, DataTokens] = Field(default_factory=dict, description="by dataset digest")
    jobs: dict[str, JobCost] = Field(default_factory=dict, description="by job key")
    flops: float = 0.0
    device_hours: float = 0.0
    reused_device_hours: float = 0.0
    largest_memory_gib: float = 0.0
    memory_available_gib: float | None = None
    fits: bool | None = None
    flops_source: str = SOURCE
    assumptions: list[str] = Field(default_factory=list)


class CostCheck(Estimate):
    """Sums over `jobs` jobs of one kind; memory is of the largest. Device hours are GPU-hours where the plan's
    device is a GPU, else processor-hours. `hours_ratio` is measured over estimated."""

    kind: JobKind
    jobs: int
    estimated_device_hours: float
    measured_device_hours: float
    estimated_tokens: float
    measured_tokens: float
    estimated_memory_gib: float
    measured_memory_gib: float

    @property
    def hours_ratio(self) -> float | None:
        return self.measured_device_hours / self.estimated_device_hours if self.estimated_device_hours else None


def memory_per_layout(
    inputs: TrainingInputs, shape: ModelShape | None, hardware: Hardware
) -> Callable[[Parallelism], float]:
    """The memory of one process, GiB, by layout, where the data was not looked at: rows are as long as they may be."""
    if shape is None:
        return lambda _: 0.0
    limit = int(inputs.hyperparameters.get("max_length", 1024))
    longest = TokenSample(
        rows=1, sampled_rows=1, lengths=(Length(prompt_tokens=0, tokens=limit),), source="bytes_per_token"
    )
    run = run_of(inputs, shape, longest)
    machine = machine_of(hardware, run.hyperparameters.get("dtype", "float32"))
    memory = _memory_of(inputs.algorithm, run, machine, hardware)
    return lambda layout: memory(layout).total_gib


def _memory_of(algorithm: str, run: Run, machine: Machine, hardware: Hardware) -> Callable[[Parallelism], Memory]:
    """Of one process, by layout."""

    def memory(layout: Parallelism) -> Memory:
        return memory_of_run(
            algorithm,
            run,
            machine,
            layout,
            checkpointed=hardware.activation_checkpointing,
            offloaded=hardware.cpu_offload,
            samples_elsewhere=hardware.rollout_actors > 0,
        )

    return memory


def training_cost(inputs: TrainingInputs, shape: ModelShape, sample: TokenSample, hardware: Hardware) -> JobCost:
    """What one training run costs."""
    run = run_of(inputs, shape, sample)
    machine = machine_of(hardware, run.hyperparameters.get("dtype", "float32"))

    memory = _memory_of(inputs.algorithm, run, machine, hardware)
    chosen = layout_of(
        hardware,
        inputs.algorithm,
        run.rank is not None,
        shape,
        machine.memory_gib,
        lambda layout: memory(layout).total_gib,
        str(run.hyperparameters.get("rollout_engine")),
    )
    pieces = training_pieces(inputs.algorithm, run)
    tokens = trained_tokens(inputs.algorithm, run)
    held = memory(chosen.parallelism)
    cost = _job(pieces, machine, held, tokens)
    return cost.model_copy(update={"parallelism": chosen.parallelism, "parallelism_reason": chosen.reason})


def evaluation_cost(inputs: EvalInputs, shape: ModelShape, items: TokenSample | None, hardware: Hardware) -> JobCost:
    """What one eval costs; items that are not at hand (a harness's own) are assumed."""
    machine = machine_of(hardware, inputs.dtype)
    pieces = evaluation_pieces(inputs, shape, items)
    return _job(pieces, machine, evaluation_memory(inputs, shape, items, machine), evaluation_tokens(inputs, items))


def _job(pieces: list[Piece], machine: Machine, memory: Memory, tokens: float) -> JobCost:
    hours = (START_SECONDS + sum(machine.seconds(piece) for piece in pieces)) / 3600
    there = machine.memory_gib
    return JobCost(
        flops=sum(piece.flops for piece in pieces),
        hours=hours,
        device_hours=hours * machine.devices,
        tokens=tokens,
        memory=memory,
        memory_available_gib=there,
        fits=None if there is None else memory.total_gib <= there,
    )


def parameters_by_kind(shape: ModelShape) -> dict[str, int]:
    """A model's parameters by kind of layer."""
    return {
        "embedding": shape.embedding_parameters,
        "attention": shape.attention_parameters,
        "feed_forward": shape.expert_parameters + shape.shared_parameters,
        "norms": shape.norm_parameters,
        "output": shape.head_parameters,
    }


def plan_cost(
    jobs: Mapping[str, JobCost],
    reused: set[str],
    shape: ModelShape,
    samples: Mapping[str, TokenSample],
    hardware: Hardware,
    dtype: Dtype,
    assumptions: list[str],
) -> PlanCost:
    """The sum over a plan's jobs; those in `reused` cost nothing again. Samples by dataset digest."""
    new = [cost for key, cost in jobs.items() if key not in reused]
    machine = machine_of(hardware, dtype)
    largest = max((cost.memory.total_gib for cost in new), default=0.0)
    return PlanCost(
        device="gpu" if machine.on_gpu else "cpu",
        machine=machine.name,
        parameters=shape.parameters,
        parameters_by_kind=parameters_by_kind(shape),
        tokens={digest: _counted(sample) for digest, sample in samples.items()},
        jobs=dict(jobs),
        flops=sum(cost.flops for cost in new),
        device_hours=sum(cost.device_hours for cost in new),
        reused_device_hours=sum(cost.device_hours for key, cost in jobs.items() if key in reused),
        largest_memory_gib=largest,
        memory_available_gib=machine.memory_gib,
        fits=None if machine.memory_gib is None else largest <= machine.memory_gib,
        assumptions=[*machine.assumptions, *assumptions],
    )


def _counted(sample: TokenSample) -> DataTokens:
    return DataTokens(
        rows=sample.rows, sampled_rows=sample.sampled_rows, mean_tokens=sample.mean_tokens(), source=sample.source
    )

"""Single jobs asked for over HTTP: a training run or an eval that belongs to no experiment.

Checks them by the rules of experiments; its problems name the fields of the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from assay_schemas.algorithms import ALGORITHMS
from assay_schemas.artifacts import DatasetRef, ModelRef
from assay_schemas.benchmarks import NEWEST_HARNESS, definition_of
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.jobs import EvalInputs, TrainingInputs, job_key
from assay_schemas.problems import Problem, problems_of
from assay_schemas.resolved import engine_version_of, hyperparameters_of
from assay_schemas.results import PlannedJob
from assay_schemas.specification import not_yet_available
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay_scheduler.intake.beyond import hardware_beyond
from assay_scheduler.intake.inspection import Inspector
from assay_scheduler.intake.rewards import reward_checkpoints, truth_columns
from assay_scheduler.intake.rows import needs_of_algorithm, needs_of_benchmark
from assay_scheduler.intake.unusable import NotThereNow, Unusable
from assay_scheduler.planner import eval_inputs, hardware_of, new_job, training_inputs
from assay_scheduler.states import Job

STAND_IN_TASK = "gsm8k"  # a known benchmark without a file, where a specification must name one


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    priority: Any = "MED"
    hardware_config: dict[str, Any] = Field(default_factory=dict)
    owner: str | None = None
    name: str | None = None


class TrainingConfig(BaseModel):
    model_config = ConfigDict(extra="forbid")

    base_model: Any
    dataset: Any
    training_alg: Any
    hyperparams: dict[str, Any] = Field(default_factory=dict)


class TrainingJobBody(Body):
    """POST /training_job."""

    training_config: TrainingConfig
    engine_version: str | None = None
    seed: int = Field(default=0, ge=0, lt=2**31)


class EvalJobBody(Body):
    """POST /eval_job. `model_checkpoint_path` is the folder of a model or a checkpoint, at any location."""

    model_checkpoint_path: Any
    benchmark_name: str
    harness_version: str | None = None
    harness_params: dict[str, Any] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)


@dataclass(frozen=True)
class SingleJob:
    """What inspecting a request found: a job, or problems, or what is away now and may come back."""

    job: Job | None
    problems: list[Problem]
    away: list[Problem] = field(default_factory=list)


TRAINING_FIELDS = {
    "base_model": "training_config.base_model",
    "training.algorithm": "training_config.training_alg",
    "training.hyperparameters": "training_config.hyperparams",
    "training.engine_version": "engine_version",
    "arms.0.dataset": "training_config.dataset",
    "seeds": "seed",
    "hardware": "hardware_config",
    "evaluation_hardware": "hardware_config",
}
EVAL_FIELDS = {
    "base_model": "model_checkpoint_path",
    "benchmarks.0.name": "benchmark_name",
    "benchmarks.0.harness_version": "harness_version",
    "benchmarks.0.parameters": "harness_params",
    "benchmarks.0.limit": "limit",
    "hardware": "hardware_config",
    "evaluation_hardware": "hardware_config",
}


async def inspect_training_job(document: Mapping[str, Any], inspector: Inspector) -> SingleJob:
    """The training job a request asks for, or everything that is wrong with it."""
    try:
        body = TrainingJobBody.model_validate(document)
    except ValidationError as error:
        return SingleJob(None, problems_of(error, TrainingJobBody))
    config = body.training_config
    request = _Request(_training_stand_in(body), TRAINING_FIELDS, inspector)
    needs = needs_of_algorithm(ALGORITHMS.get(str(config.training_alg)), truth_columns(config.hyperparams))
    dataset = await request.found(
        "arms.0.dataset", config.dataset, lambda: inspector.datasets.take(config.dataset, needs)
    )
    model = await request.found("base_model", config.base_model, lambda: inspector.models.take(config.base_model))
    rewards = {}
    for place, location in reward_checkpoints(config.hyperparams, "training.hyperparameters").items():
        rewards[location] = await request.found(place, location, partial(inspector.models.take_reward_model, location))
    spec = await request.checked(model)
    if spec is None or dataset is None or model is None:
        return SingleJob(None, request.problems, request.away)
    inputs = training_inputs(
        algorithm=spec.training.algorithm,
        engine_version=engine_version_of(spec),
        model=model.digest,
        dataset=dataset.digest,
        hyperparameters=hyperparameters_of(spec),
        interventions=[],
        seed=body.seed,
        rewards=rewards,
        auto_engine=inspector.installation.rollout_engine,
    )
    return SingleJob(new_job(_planned(inputs), hardware_of(spec, "training"), model, {dataset.digest: dataset}), [])


async def inspect_eval_job(document: Mapping[str, Any], inspector: Inspector) -> SingleJob:
    """The eval a request asks for, or everything that is wrong with it."""
    try:
        body = EvalJobBody.model_validate(document)
    except ValidationError as error:
        return SingleJob(None, problems_of(error, EvalJobBody))
    name = _benchmark_name(body.benchmark_name, body.harness_version)
    request = _Request(_eval_stand_in(body, name), EVAL_FIELDS, inspector)
    location = body.harness_params.get("dataset")
    items: DatasetRef | None = None
    if location is not None:
        needs = needs_of_benchmark(definition_of(name, body.harness_version or NEWEST_HARNESS))
        field = "benchmarks.0.parameters.dataset"
        items = await request.found(field, location, lambda: inspector.datasets.take(location, needs))
    model = await request.found(
        "base_model", body.model_checkpoint_path, lambda: inspector.models.take(body.model_checkpoint_path)
    )
    spec = await request.checked(model)
    if spec is None or model is None:
        return SingleJob(None, request.problems, request.away)
    inputs = eval_inputs(
        name=name,
        harness_version=body.harness_version,
        parameters=body.harness_params,
        items=items,
        limit=body.limit,
        dtype="float32",
        model=model.digest,
    )
    datasets = {items.digest: items} if items else {}
    return SingleJob(new_job(_planned(inputs), hardware_of(spec, "eval"), model, datasets), [])


class _Request:
    """A request as the specification of a stand-in experiment, whose problems are told in the request's words."""

    def __init__(self, stand_in: dict[str, Any], fields: Mapping[str, str], inspector: Inspector) -> None:
        reading = inspector.reading(stand_in)
        self._fields = fields
        self._inspector = inspector
        self._spec: ExperimentSpec | None = reading.spec
        self._known = {problem.field for problem in reading.problems}
        self.away: list[Problem] = []
        self.problems = [self._renamed(problem) for problem in reading.problems]
        hardware = hardware_beyond(stand_in.get("hardware"), inspector.installation)
        self.problems += [self._renamed(problem) for problem in hardware if problem.field not in self._known]

    async def found(self, field: str, location: Any, look_up: Any) -> Any:
        """What a look-up finds, or None with its problem noted; not asked where the location itself is wrong."""
        if field in self._known:
            return None
        if not isinstance(location, str):
            mend = "Name a file, a folder or a URI."
            self.problems.append(self._renamed(Problem(field=field, message="is not text.", mend=mend)))
            return None
        try:
            return await look_up()
        except Unusable as error:
            noted = self.away if isinstance(error, NotThereNow) else self.problems
            noted.append(self._renamed(error.as_problem(field)))
            return None

    async def checked(self, model: ModelRef | None) -> ExperimentSpec | None:
        """The stand-in specification when nothing is wrong, with the model's standard hardware where none is given."""
        if self.problems or self.away or self._spec is None or model is None:
            return None
        equipped = await self._inspector.equipped(self._spec, model)
        found = [*not_yet_available(equipped.spec), *equipped.problems]
        self.problems = [self._renamed(problem) for problem in found]
        return None if self.problems else equipped.spec

    def _renamed(self, problem: Problem) -> Problem:
        for inner, outer in self._fields.items():
            if problem.field == inner or problem.field.startswith(inner + "."):
                return problem.model_copy(update={"field": outer + problem.field[len(inner) :]})
        return problem


def _training_stand_in(body: TrainingJobBody) -> dict[str, Any]:
    """An experiment whose only training is the one asked for."""
    config = body.training_config
    return {
        **_common(body),
        "base_model": config.base_model,
        "training": _given(
            algorithm=config.training_alg, hyperparameters=config.hyperparams, engine_version=body.engine_version
        ),
        "arms": [{"name": "job", "dataset": config.dataset}],
        "seeds": [body.seed],
        "benchmarks": [{"name": STAND_IN_TASK}],
    }


def _eval_stand_in(body: EvalJobBody, name: str) -> dict[str, Any]:
    """An experiment whose control would be evaluated as is asked for."""
    benchmark = _given(
        name=name, harness_version=body.harness_version, parameters=body.harness_params, limit=body.limit
    )
    return {
        **_common(body),
        "base_model": body.model_checkpoint_path,
        "training": {"algorithm": "SFT"},
        "arms": [{"name": "job", "dataset": "sha256:"}],
        "benchmarks": [benchmark],
    }


def _common(body: Body) -> dict[str, Any]:
    hardware = body.hardware_config or None
    return _given(priority=body.priority, hardware=hardware, owner=body.owner, name=body.name)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _benchmark_name(name: str, harness_version: str | None) -> str:
    """Names are written in capitals as well: GSM8K is gsm8k."""
    known = definition_of(name, harness_version or NEWEST_HARNESS)
    return name if known else name.lower()


def _planned(inputs: TrainingInputs | EvalInputs) -> PlannedJob:
    return PlannedJob(key=job_key(inputs), kind=inputs.kind, inputs=inputs)

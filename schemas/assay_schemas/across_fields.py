"""Checks of a specification that span several of its fields, or look a name up: each says its problems by itself.

Over the raw document, so that they speak even where another field could not be parsed; opens no file.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from assay_schemas.algorithms import ALGORITHMS, Algorithm, Hyperparameters
from assay_schemas.benchmarks import (
    NEWEST_HARNESS,
    OWN_BENCHMARKS,
    TASKS_THAT_RUN_CODE,
    BenchmarkDefinition,
    definition_of,
    known_benchmarks,
)
from assay_schemas.endpoints import endpoint_model, is_endpoint
from assay_schemas.experiments import DEFAULT_SEEDS, RESERVED_ARMS, safe_location
from assay_schemas.interventions import intervention_problems
from assay_schemas.parallelism import NO_OFFLOAD, ONLINE_ALGORITHMS, Parallelism, why_not
from assay_schemas.problems import WHOLE_DOCUMENT, Problem, every_problem, joined, nearest, shown
from assay_schemas.resolved import benchmark_ids, merged
from assay_schemas.versions import Versions


def across_fields(document: Mapping[str, Any], versions: Versions) -> list[Problem]:
    """Every problem that these checks find; two of them may speak of one field."""
    training, hardware = _mapping(document.get("training")), _mapping(document.get("hardware"))
    arms, benchmarks = _listing(document.get("arms")), _listing(document.get("benchmarks"))
    return [
        *_training_problems(training, arms, versions),
        *_arm_problems(arms),
        *_intervention_problems(arms, training),
        *_benchmark_problems(benchmarks, training, versions),
        *_selection_problems(_mapping(document.get("selection")), benchmarks),
        *_budget_problems(document),
        *_parallelism_problems(hardware, training),
        *_offload_problems(hardware, training),
        *_actor_problems(hardware, training),
    ]


def _training_problems(training: Mapping[str, Any], arms: list[Any], versions: Versions) -> list[Problem]:
    problems = _engine_problems("training", training, versions)
    problems += _reward_problems("training", training)
    for position, arm in enumerate(arms):
        own_training = _mapping(_mapping(arm).get("training"))
        problems += _engine_problems(f"arms.{position}.training", own_training, versions)
        problems += _reward_problems(f"arms.{position}.training", own_training)
    algorithm = ALGORITHMS.get(str(training.get("algorithm")))
    if algorithm is None:
        return problems
    shared = _mapping(training.get("hyperparameters"))
    problems += _hyperparameter_problems(algorithm.hyperparameters, shared, "training.hyperparameters")
    for position, arm in enumerate(arms):
        own = _mapping(_mapping(_mapping(arm).get("training")).get("hyperparameters"))
        if own:
            where = f"arms.{position}.training.hyperparameters"
            problems += _own_problems(algorithm.hyperparameters, shared, own, where)
    return problems


def _engine_problems(prefix: str, training: Mapping[str, Any], versions: Versions) -> list[Problem]:
    version = training.get("engine_version")
    if version is None or not isinstance(version, str) or version in versions.engines:
        return []
    message = f"{version!r} is not known: no engine of that version is installed or declared."
    return [Problem(field=joined(prefix, "engine_version"), message=message, mend=_which(version, versions.engines))]


def _which(version: str, known: Collection[str]) -> str:
    """The versions there are, and how there can be more."""
    near = nearest(version, known)
    return f"{near} Another is put beside with `assay images add`.".strip()


def _reward_problems(prefix: str, training: Mapping[str, Any]) -> list[Problem]:
    """Reward models may lie only where models may."""
    declared = _mapping(training.get("hyperparameters")).get("reward")
    where = f"{prefix}.hyperparameters.reward"
    many = isinstance(declared, list)
    places = [
        (f"{where}.{at}" if many else where, reward) for at, reward in enumerate(_listing(declared) or [declared])
    ]
    problems: list[Problem] = []
    for place, reward in places:
        checkpoint = _mapping(reward).get("checkpoint")
        if isinstance(checkpoint, str):
            problems += _location_problems(f"{place}.checkpoint", checkpoint)
    return problems


def _hyperparameter_problems(model: type[Hyperparameters], values: dict[str, Any], prefix: str) -> list[Problem]:
    return [_under(prefix, one) for one in every_problem(model, values)]


def _under(prefix: str, problem: Problem) -> Problem:
    return problem.model_copy(
        update={"field": prefix if problem.field == WHOLE_DOCUMENT else joined(prefix, problem.field)}
    )


def _own_problems(
    model: type[Hyperparameters], shared: dict[str, Any], own: dict[str, Any], prefix: str
) -> list[Problem]:
    """What is wrong with an arm's hyperparameters laid over the shared ones; what is wrong with those is said once."""
    known = {one.field for one in every_problem(model, shared)}
    found = every_problem(model, merged(shared, own))
    return [_under(prefix, one) for one in found if one.field.split(".")[0] in own or one.field not in known]


def _arm_problems(arms: list[Any]) -> list[Problem]:
    problems: list[Problem] = []
    seen: set[str] = set()
    for position, arm in enumerate(map(_mapping, arms)):
        name = arm.get("name")
        where = f"arms.{position}.name"
        if name in RESERVED_ARMS:
            mend = "The control is implied, and `placebo: true` adds the placebo; choose another name."
            problems.append(Problem(field=where, message=f"{name!r} is a reserved name.", mend=mend))
        elif isinstance(name, str) and name in seen:
            mend = "Give each arm a name of its own."
            problems.append(Problem(field=where, message=f"{name!r} is already the name of an arm.", mend=mend))
        seen.add(str(name))
        if _has(arm, "dataset") == _has(arm, "model"):
            mend = "Give `dataset` to train on, or `model` for a reference that is only evaluated."
            has = "has both dataset and model." if _has(arm, "dataset") else "is required."
            problems.append(Problem(field=f"arms.{position}.dataset", message=has, mend=mend))
        if isinstance(arm.get("model"), str) and is_endpoint(arm["model"]):
            problems += _endpoint_problems(f"arms.{position}.model", arm["model"])
    if arms and not problems and not any(_has(arm, "dataset") for arm in arms):
        mend = "Give at least one arm a dataset to train on."
        problems.append(Problem(field="arms", message="are references only: there is nothing to train.", mend=mend))
    return problems


def _endpoint_problems(field_path: str, location: str) -> list[Problem]:
    try:
        endpoint_model(location)
    except ValueError as error:
        return [Problem(field=field_path, message=f"{error}.", mend="Write endpoint:NAME/MODEL.")]
    return []


def _intervention_problems(arms: list[Any], training: Mapping[str, Any]) -> list[Problem]:
    algorithm = ALGORITHMS.get(str(training.get("algorithm")))
    return [
        problem
        for position, arm in enumerate(map(_mapping, arms))
        for place, given in enumerate(map(_mapping, _listing(arm.get("interventions"))))
        for problem in intervention_problems(f"arms.{position}.interventions.{place}", given, algorithm)
    ]


def _benchmark_problems(benchmarks: list[Any], training: Mapping[str, Any], versions: Versions) -> list[Problem]:
    problems: list[Problem] = []
    algorithm = ALGORITHMS.get(str(training.get("algorithm")))
    for position, benchmark in enumerate(map(_mapping, benchmarks)):
        name, version = benchmark.get("name"), benchmark.get("harness_version") or NEWEST_HARNESS
        if not isinstance(name, str) or not isinstance(version, str):
            continue
        prefix = f"benchmarks.{position}"
        if version not in versions.harnesses:
            message = f"{version!r} is not a known harness version: none is installed or declared."
            mend = _which(version, versions.harnesses)
            problems.append(Problem(field=f"{prefix}.harness_version", message=message, mend=mend))
            version = NEWEST_HARNESS
        problems += _parameter_problems(prefix, name, version, _mapping(benchmark.get("parameters")))
        problems += _model_problems(prefix, definition_of(name, version), algorithm)
    return problems


def _model_problems(prefix: str, benchmark: BenchmarkDefinition | None, algorithm: Algorithm | None) -> list[Problem]:
    """A reward model has a score in place of text: what asks for text or its likelihood cannot evaluate it."""
    if benchmark is None or algorithm is None or algorithm.trains in benchmark.models:
        return []
    able = ", ".join(own.name for own in OWN_BENCHMARKS.values() if algorithm.trains in own.models)
    message = f"{benchmark.name} cannot evaluate what {algorithm.name} trains, which gives scores and no text."
    return [Problem(field=f"{prefix}.name", message=message, mend=f"Use {able}, or train with another algorithm.")]


def _parameter_problems(prefix: str, name: str, version: str, given: Mapping[str, Any]) -> list[Problem]:
    definition = definition_of(name, version)
    if definition is None:
        mend = nearest(name, known_benchmarks(version)) if name else ""
        return [Problem(field=f"{prefix}.name", message=f"{name!r} is not a known benchmark.", mend=mend)]
    where = f"{prefix}.parameters"
    problems: list[Problem] = []
    if definition.scored_on == "harness" and name.startswith(TASKS_THAT_RUN_CODE):
        message = f"{name} runs programs that a model wrote, without a sandbox."
        mend = "Use the benchmark `code`, with the rows of the same data set as its dataset."
        problems.append(Problem(field=f"{prefix}.name", message=message, mend=mend))
    problems += [_under(where, one) for one in every_problem(definition.parameters, dict(given))]
    dataset = given.get("dataset")
    if definition.item_columns and dataset is None:
        mend = f"Give a JSONL or Parquet file of items with {_columns(definition.item_columns)}."
        problems.append(Problem(field=f"{where}.dataset", message="is required.", mend=mend))
    if isinstance(dataset, str):
        problems += _location_problems(f"{where}.dataset", dataset)
    return problems


def _columns(alternatives: tuple[tuple[str, ...], ...]) -> str:
    return " or ".join(" + ".join(columns) or "the columns its templates name" for columns in alternatives)


def _location_problems(field_path: str, location: str) -> list[Problem]:
    try:
        safe_location(location)
    except ValueError as error:
        return [Problem(field=field_path, message=f"{error}.", mend=f"Given: {shown(location)}.")]
    return []


def _selection_problems(selection: Mapping[str, Any], benchmarks: list[Any]) -> list[Problem]:
    if selection.get("policy") != "best_benchmark":
        return []
    chosen, field_path = selection.get("benchmark"), "selection.benchmark"
    if not chosen:
        mend = "Name the benchmark whose held-aside items choose the checkpoint."
        return [Problem(field=field_path, message="is required by best_benchmark.", mend=mend)]
    ids = benchmark_ids([str(_mapping(benchmark).get("name")) for benchmark in benchmarks])
    if not isinstance(chosen, str) or chosen in ids:
        return []
    message = f"{shown(chosen)} is not one of the experiment's benchmarks."
    return [Problem(field=field_path, message=message, mend=nearest(chosen, ids))]


def _budget_problems(document: Mapping[str, Any]) -> list[Problem]:
    """A budget pays for the first look at least."""
    budget, seeds = _mapping(document.get("budget")), document.get("seeds", DEFAULT_SEEDS)
    runs = budget.get("runs")
    each = len(seeds) if isinstance(seeds, list) else seeds
    if not isinstance(runs, int) or not isinstance(each, int):
        return []
    arms = [_mapping(arm) for arm in _listing(document.get("arms")) if _has(arm, "dataset")]
    first = sum(len(_listing(arm.get("seeds"))) or each for arm in arms) + each * (document.get("placebo") is True)
    if runs >= first:
        return []
    message = f"{runs} runs do not pay for the first look, which takes {first}."
    return [Problem(field="budget.runs", message=message, mend="Raise it, or begin with fewer seeds.")]


def _parallelism_problems(hardware: Mapping[str, Any], training: Mapping[str, Any]) -> list[Problem]:
    """A declared parallelism that the engine cannot give this training; what is malformed is reported elsewhere."""
    try:
        layout = Parallelism.model_validate(hardware.get("parallelism"))
    except ValidationError:
        return []
    options = _mapping(training.get("hyperparameters"))
    adapters, engine = options.get("lora") is not None, str(options.get("rollout_engine"))
    nodes = hardware.get("nodes")
    machines = nodes if isinstance(nodes, int) and nodes > 0 else 1
    algorithm = str(training.get("algorithm"))
    reason = why_not(layout, algorithm, adapters=adapters, nodes=machines, rollout_engine=engine)
    mend = "Change its degrees, or leave it out: auto chooses."
    return [Problem(field="hardware.parallelism", message=reason, mend=mend)] if reason else []


def _offload_problems(hardware: Mapping[str, Any], training: Mapping[str, Any]) -> list[Problem]:
    """Weights that rest in main memory are fetched for every forward pass, so also for every token that is sampled."""
    algorithm = str(training.get("algorithm"))
    if hardware.get("cpu_offload") is not True or algorithm not in ONLINE_ALGORITHMS:
        return []
    mend = "Leave it out; lora, tensor parallelism or activation_checkpointing save memory too."
    return [Problem(field="hardware.cpu_offload", message=NO_OFFLOAD.format(algorithm), mend=mend)]


def _actor_problems(hardware: Mapping[str, Any], training: Mapping[str, Any]) -> list[Problem]:
    """Processes that sample are only for who samples, and beside one trainer."""
    actors, algorithm = hardware.get("rollout_actors"), str(training.get("algorithm"))
    if not isinstance(actors, int) or actors < 1:
        return []
    where = "hardware.rollout_actors"
    if algorithm not in ONLINE_ALGORITHMS:
        message = f"{algorithm} does not sample, so it has no use for them."
        return [Problem(field=where, message=message, mend="Leave it out.")]
    spread = isinstance(hardware.get("parallelism"), Mapping) or hardware.get("nodes", 1) != 1
    if spread or hardware.get("gpus", 0) not in (0, 1):
        mend = "Leave hardware.parallelism and nodes out, with one GPU at most; or leave rollout_actors out."
        return [Problem(field=where, message="stand beside a trainer of one process.", mend=mend)]
    return []


def _has(arm: Any, key: str) -> bool:
    """A null stands for a key that is not given, as programs write it."""
    return _mapping(arm).get(key) is not None


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _listing(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else []

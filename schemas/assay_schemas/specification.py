"""Reads an experiment specification and finds every problem that needs no file, all at once.

Never launches or looks anything up: what lies in files is the scheduler's intake to check.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from assay_schemas.across_fields import across_fields
from assay_schemas.algorithms import ALGORITHMS
from assay_schemas.benchmarks import NEWEST_HARNESS, OWN_BENCHMARKS, definition_of
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.problems import UNKNOWN_KEY, WHOLE_DOCUMENT, Problem, problems_of, pruned
from assay_schemas.versions import SHIPPED, Versions

SCHEMA_VERSION = "experiment.requested/1.0"


@dataclass(frozen=True)
class Reading:
    """What reading a document found: a specification when there is no problem, and warnings."""

    spec: ExperimentSpec | None
    problems: list[Problem]
    warnings: list[str] = field(default_factory=list)


def read_specification(document: Any, dataschema: str = "", versions: Versions = SHIPPED) -> Reading:
    """Validates a document; an unknown key is a problem, or a warning where `dataschema` is a newer minor.

    `versions` are those of engine and harness that may be asked for."""
    if not isinstance(document, Mapping):
        return Reading(None, [Problem(field=WHOLE_DOCUMENT, message="must be a mapping of keys.")])
    plain = dict(document)
    spec, problems = _parse(plain)
    warnings: list[str] = []
    if _is_newer_minor(dataschema):
        plain, warnings = _without_unknown(plain, problems)
        spec, problems = _parse(plain) if warnings else (spec, problems)
    problems += across_fields(plain, versions)
    return Reading(spec if not problems else None, _first_of_each_field(problems), warnings)


def not_yet_available(spec: ExperimentSpec) -> list[Problem]:
    """Problems for what is understood but does not run in this version; asked only of a specification
    that is otherwise right, so that it never hides or adds to other problems."""
    problems = []
    if not ALGORITHMS[spec.training.algorithm].available:
        problems.append(_unavailable("training.algorithm", spec.training.algorithm, _runnable_algorithms()))
    for position, benchmark in enumerate(spec.benchmarks):
        definition = definition_of(benchmark.name, benchmark.harness_version or NEWEST_HARNESS)
        if definition is None or not definition.available:
            ready = ", ".join(own.name for own in OWN_BENCHMARKS.values() if own.available)
            problems.append(_unavailable(f"benchmarks.{position}.name", benchmark.name, f"{ready}, harness tasks"))
    return problems


FORMS: Mapping[str, str] = {
    "arms": "arms: [{name: clean, dataset: clean.jsonl}]",
    "arms.*": "{name: clean, dataset: clean.jsonl}",
    "benchmarks": "benchmarks: [{name: gsm8k}]",
    "benchmarks.*": "{name: gsm8k}",
    "benchmarks.*.parameters": "parameters: {temperature: 0}",
    "budget": "budget: {runs: 24, looks: 4}",
    "hardware": "hardware: {gpus: 1, memory_gib: 32}",
    "evaluation_hardware": "evaluation_hardware: {gpus: 1}",
    "seeds": "seeds: [0, 1, 2], or a count such as seeds: 3",
    "selection": "selection: {policy: best_validation}",
    "training": "training: {algorithm: SFT, hyperparameters: {steps: 200}}",
    "training.hyperparameters": "hyperparameters: {steps: 200}",
}
"""How a value is written that is often given in another form; `*` is any place of a list."""


def _parse(document: Mapping[str, Any]) -> tuple[ExperimentSpec | None, list[Problem]]:
    try:
        return ExperimentSpec.model_validate(document), []
    except ValidationError as error:
        return None, _one_per_value(problems_of(error, ExperimentSpec, forms=FORMS))


def _one_per_value(problems: list[Problem]) -> list[Problem]:
    """Seeds may be a count or a list: what is wrong inside the list is one problem of `seeds` itself."""
    folded = [
        problem.model_copy(update={"field": "seeds"}) if problem.field.startswith("seeds.") else problem
        for problem in problems
    ]
    return _first_of_each_field(folded)


def _unavailable(field_path: str, what: str, available: str) -> Problem:
    return Problem(
        field=field_path,
        message=f"{what} is understood, but not yet available in this version.",
        mend=f"Available now: {available}.",
    )


def _runnable_algorithms() -> str:
    return ", ".join(algorithm.name for algorithm in ALGORITHMS.values() if algorithm.available)


def _is_newer_minor(dataschema: str) -> bool:
    name, _, version = dataschema.rpartition("/")
    known_name, _, known = SCHEMA_VERSION.rpartition("/")
    try:
        major, minor = (int(part) for part in version.split("."))
    except ValueError:
        return False
    known_major, known_minor = (int(part) for part in known.split("."))
    return name.rpartition("/")[2] == known_name and major == known_major and minor > known_minor


def _without_unknown(document: dict[str, Any], problems: list[Problem]) -> tuple[dict[str, Any], list[str]]:
    unknown = [problem.field for problem in problems if problem.message == UNKNOWN_KEY]
    shorn = document
    for path in unknown:
        shorn = pruned(shorn, path.split("."))
    return shorn, [f"{path} is not known to this version and was ignored." for path in unknown]


def _first_of_each_field(problems: list[Problem]) -> list[Problem]:
    """One problem a field: the first that was found says most."""
    first: dict[str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.field, problem)
    return list(first.values())

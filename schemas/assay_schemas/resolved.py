"""What a specification amounts to with its defaults written out: hyperparameters, versions, benchmarks' ids.

Pure functions of a specification that is right; finding what is wrong with one is `specification`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from assay_schemas.algorithms import ALGORITHMS, NEWEST_ENGINE, Hyperparameters
from assay_schemas.benchmarks import NEWEST_HARNESS, BenchmarkParameters, definition_of
from assay_schemas.experiments import ArmSpec, ExperimentSpec


def hyperparameters_of(spec: ExperimentSpec, arm: ArmSpec | None = None) -> Hyperparameters:
    """The resolved hyperparameters of the experiment, or of one arm with its own laid over them."""
    own = arm.training.hyperparameters if arm and arm.training else {}
    given = merged(spec.training.hyperparameters, own)
    return ALGORITHMS[spec.training.algorithm].hyperparameters.model_validate(given)


def engine_version_of(spec: ExperimentSpec, arm: ArmSpec | None = None) -> str:
    """The engine that trains the experiment, or one arm: the arm's own, else the experiment's, else the newest."""
    own = arm.training.engine_version if arm and arm.training else None
    return own or spec.training.engine_version or NEWEST_ENGINE


def benchmark_ids(names: Sequence[str]) -> list[str]:
    """What each benchmark is called in plans and reports: its name, numbered from its second use on."""
    uses: Counter[str] = Counter()
    ids = []
    for name in names:
        uses[name] += 1
        ids.append(name if uses[name] == 1 else f"{name}-{uses[name]}")
    return ids


def benchmark_parameters(name: str, harness_version: str | None, given: Mapping[str, Any]) -> BenchmarkParameters:
    """A benchmark's parameters with their defaults. Raises KeyError for an unknown benchmark."""
    definition = definition_of(name, harness_version or NEWEST_HARNESS)
    if definition is None:
        raise KeyError(name)
    return definition.parameters.model_validate(dict(given))


def merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """An arm's hyperparameters laid over the shared ones: its `epochs` replaces their `steps`, and the other way
    round."""
    rivals = {"steps": "epochs", "epochs": "steps"}
    dropped = {rivals[key] for key in own if key in rivals and rivals[key] not in own}
    return {**{key: value for key, value in shared.items() if key not in dropped}, **own}

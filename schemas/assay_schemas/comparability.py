"""What an experiment mixes that cannot be told apart from its data: engine and harness versions side by side.

A pure function of a specification and of what is declared comparable.
"""

from __future__ import annotations

from itertools import combinations

from assay_schemas.benchmarks import NEWEST_HARNESS
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.resolved import benchmark_ids, engine_version_of
from assay_schemas.versions import Versions


def version_warnings(spec: ExperimentSpec, versions: Versions) -> list[str]:
    """A sentence for each pair of versions whose results do not stand beside each other."""
    return [*_engines(spec, versions), *_harnesses(spec, versions)]


def _engines(spec: ExperimentSpec, versions: Versions) -> list[str]:
    arms: dict[str, list[str]] = {}
    for arm in spec.arms:
        if arm.model is None:
            arms.setdefault(engine_version_of(spec, arm), []).append(arm.name)
    return [
        f"{', '.join(arms[one])} and {', '.join(arms[other])} are not comparable with each other: they are trained by "
        f"engine versions {one} and {other}, and a difference between them may be the engine's, not the data's."
        for one, other in combinations(arms, 2)
        if not versions.comparable("engine", one, other)
    ]


def _harnesses(spec: ExperimentSpec, versions: Versions) -> list[str]:
    uses: dict[str, list[tuple[str, str]]] = {}
    ids = benchmark_ids([benchmark.name for benchmark in spec.benchmarks])
    for benchmark, id_ in zip(spec.benchmarks, ids, strict=True):
        uses.setdefault(benchmark.name, []).append((id_, benchmark.harness_version or NEWEST_HARNESS))
    return [
        f"{one} and {other} are not comparable with each other: baselines and arms are scored by harness versions "
        f"{version} and {other_version}. Compare arms within each."
        for listed in uses.values()
        for (one, version), (other, other_version) in combinations(listed, 2)
        if not versions.comparable("harness", version, other_version)
    ]

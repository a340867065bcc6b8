"""What a document asks for that is beyond this system, each part looked at by itself in the raw document.

Pure, and never hindered by what is wrong elsewhere in the document.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from assay_schemas.benchmarks import NEWEST_HARNESS, BenchmarkDefinition, definition_of
from assay_schemas.experiments import Hardware
from assay_schemas.problems import Problem
from pydantic import ValidationError

from assay_scheduler.intake.installation import Installation
from assay_scheduler.policy import never_fits

MAX_PART_BYTES = 64 * 1024
Benchmarks = Sequence[tuple[int, Mapping[str, Any]]]
"""Benchmarks as they were given, each with its place."""


def mappings_in(listed: Any) -> list[tuple[int, Mapping[str, Any]]]:
    """The mappings of a list, each with its place; none where it is no list."""
    if not isinstance(listed, list):
        return []
    return [(place, entry) for place, entry in enumerate(listed) if isinstance(entry, Mapping)]


def hardware_beyond(declared: Any, installation: Installation, *, field: str = "hardware") -> list[Problem]:
    """What a job asks for that this system never has; keys that nobody knows are no reason not to look."""
    given = {} if declared is None else declared
    if not isinstance(given, Mapping):
        return []
    try:
        hardware = Hardware.model_validate({key: given[key] for key in given if key in Hardware.model_fields})
    except ValidationError:
        return []
    problems = []
    if hardware.nodes > installation.most_nodes:
        message = f"asks for {hardware.nodes} machines, and this system has {installation.most_nodes}."
        mend = f"Ask for at most {installation.most_nodes}, or raise ASSAY_CAPACITY_NODES for the scheduler."
        problems.append(Problem(field=f"{field}.nodes", message=message, mend=mend))
    if hardware.rollout_actors and installation.backend != "ray":
        message = f"are only on the ray backend, and this system's is {installation.backend}."
        mend = "Leave them out, or run the services with ASSAY_BACKEND=ray."
        problems.append(Problem(field=f"{field}.rollout_actors", message=message, mend=mend))
    for name, asked, there in [] if problems else never_fits(hardware, installation.capacity):
        message = f"asks for {asked:g}, and this system has {there:g}."
        mend = f"Ask for at most {there:g}, or run the scheduler with more capacity."
        problems.append(Problem(field=f"{field}.{name}", message=message, mend=mend))
    return problems


def definition_in(benchmark: Mapping[str, Any]) -> BenchmarkDefinition | None:
    """What is known of a benchmark as it was given; None where it is not known or not readable."""
    name, version = benchmark.get("name"), benchmark.get("harness_version") or NEWEST_HARNESS
    return definition_of(name, version) if isinstance(name, str) and isinstance(version, str) else None


def missing_engines(benchmarks: Benchmarks, there: Collection[str]) -> list[Problem]:
    """Benchmarks whose engine no evaluator has."""
    asked = [(place, benchmark.get("engine")) for place, benchmark in benchmarks]
    return [
        Problem(
            field=f"benchmarks.{place}.engine",
            message=f"{engine} is not installed where this system evaluates.",
            mend="Leave engine out, or install it there and set ASSAY_EVALUATES_WITH_VLLM for the scheduler.",
        )
        for place, engine in asked
        if isinstance(engine, str) and engine not in there
    ]


def showing_images(benchmarks: Benchmarks) -> Benchmarks:
    known = [(place, benchmark, definition_in(benchmark)) for place, benchmark in benchmarks]
    return [(place, given) for place, given, definition in known if definition is not None and definition.shows_images]


def on_blind_engines(shown: Benchmarks) -> list[Problem]:
    """Of benchmarks that show images, those on an engine that takes none."""
    message = "shows images, and the engine vllm takes none here."
    mend = "Leave engine out: transformers asks models that see."
    blind = [place for place, benchmark in shown if benchmark.get("engine") == "vllm"]
    return [Problem(field=f"benchmarks.{place}.engine", message=message, mend=mend) for place in blind]


def bulky(document: Mapping[str, Any]) -> list[Problem]:
    """What would not fit into the event that asks for a job."""
    training = document.get("training")
    parts = {"training.hyperparameters": training.get("hyperparameters") if isinstance(training, Mapping) else None}
    for kind, part in (("arms", "training"), ("benchmarks", "parameters")):
        for place, given in mappings_in(document.get(kind)):
            parts[f"{kind}.{place}.{part}"] = given.get(part)
    return [
        Problem(field=name, message=f"is over {MAX_PART_BYTES // 1024} KiB.", mend="Put data into files and name them.")
        for name, part in parts.items()
        if _size(part) > MAX_PART_BYTES
    ]


def _size(part: Any) -> int:
    """Bytes of a part as JSON."""
    return len(json.dumps(part, ensure_ascii=False, separators=(",", ":"), default=str).encode(errors="replace"))

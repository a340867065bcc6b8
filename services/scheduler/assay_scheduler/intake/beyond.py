"""What a document asks for that is beyond this system, each part looked at by itself in the raw document.

Pure, and never hindered by what is wrong elsewhere in the document.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from assay_schemas.benchmarks import NEWEST_HARNESS, BenchmarkDefinition, definition_of
from assay_schemas.problems import Problem

MAX_PART_BYTES = 64 * 1024
Benchmarks = Sequence[tuple[int, Mapping[str, Any]]]
"""Benchmarks as they were given, each with its place."""


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
        listed = document.get(kind)
        for place, given in enumerate(listed if isinstance(listed, list) else []):
            parts[f"{kind}.{place}.{part}"] = given.get(part) if isinstance(given, Mapping) else None
    return [
        Problem(field=name, message=f"is over {MAX_PART_BYTES // 1024} KiB.", mend="Put data into files and name them.")
        for name, part in parts.items()
        if _size(part) > MAX_PART_BYTES
    ]


def _size(part: Any) -> int:
    """Bytes of a part as JSON."""
    return len(json.dumps(part, ensure_ascii=False, separators=(",", ":"), default=str).encode(errors="replace"))

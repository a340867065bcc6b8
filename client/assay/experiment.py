"""Experiments in Python: arms, benchmarks and training described, submitted as `experiment.requested`.

Rows are snapshotted here; nothing is validated twice: the scheduler's answer says what is wrong.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assay_schemas.envelope import MAX_EVENT_BYTES, Event
from assay_schemas.ids import experiment_id
from assay_schemas.problems import WHOLE_DOCUMENT, Problem
from assay_schemas.topics import TOPICS

from assay import stream
from assay.blocking import run_blocking
from assay.errors import Refused
from assay.locations import located, snapshot
from assay.run import Run
from assay.settings import ClientSettings, load_settings
from assay.store import Store

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True)
class Arm:
    """One condition: a name and its data (a path, URI, `sha256:` snapshot, rows, or a pandas DataFrame)."""

    name: str
    data: Any = None
    interventions: Sequence[Mapping[str, Any]] = ()
    training: Mapping[str, Any] | None = None
    model: str | None = None
    description: str = ""

    def document(self, store: Store) -> dict[str, Any]:
        found: dict[str, Any] = {"name": self.name}
        if self.data is not None:
            found["dataset"] = data_location(self.data, store, self.name)
        optional = {
            "interventions": [dict(one) for one in self.interventions],
            "training": dict(self.training) if self.training else None,
            "model": self.model,
            "description": self.description,
        }
        return found | {key: value for key, value in optional.items() if value}


@dataclass(frozen=True)
class Benchmark:
    """A benchmark by name; `items` (a path, URI, rows or a DataFrame) where it has none of its own."""

    name: str
    items: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    harness_version: str | None = None
    smallest_effect: float | None = None

    def document(self, store: Store) -> dict[str, Any]:
        parameters = dict(self.parameters)
        if self.items is not None:
            parameters["dataset"] = data_location(self.items, store, self.name)
        optional = {
            "harness_version": self.harness_version,
            "parameters": parameters or None,
            "limit": self.limit,
            "smallest_effect": self.smallest_effect,
        }
        return {"name": self.name, **{key: value for key, value in optional.items() if value is not None}}


def data_location(data: Any, store: Store, source: str) -> str:
    """A location as given; rows and DataFrames are stored as a snapshot first."""
    if isinstance(data, str | Path):
        return str(data)
    if hasattr(data, "to_dict") and hasattr(data, "columns"):
        return snapshot(data.to_dict(orient="records"), store, source)
    return snapshot(data, store, source)


@dataclass(frozen=True)
class Experiment:
    """What to compare: one base model, arms that differ in their data, an algorithm, seeds and benchmarks.

    `selection` is a policy, or a mapping as in a specification: `{"policy": "best_benchmark", "benchmark": ...}`."""

    base_model: str
    arms: Sequence[Arm]
    benchmarks: Sequence[Benchmark]
    algorithm: str = "SFT"
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    seeds: int | Sequence[int] = 3
    placebo: bool = False
    name: str = "experiment"
    question: str = ""
    owner: str | None = None
    selection: str | Mapping[str, Any] = "best_validation"
    priority: str = "MED"
    hardware: Mapping[str, Any] = field(default_factory=dict)
    engine_version: str | None = None

    def document(self, store: Store) -> dict[str, Any]:
        """The specification as it is published. Raises Refused where arms or benchmarks are something else."""
        if problems := [*_other_than(Arm, "arms", self.arms), *_other_than(Benchmark, "benchmarks", self.benchmarks)]:
            raise Refused(problems)
        training = {"algorithm": self.algorithm, "hyperparameters": dict(self.hyperparameters)}
        if self.engine_version:
            training["engine_version"] = self.engine_version
        optional = {"question": self.question, "owner": self.owner, "hardware": dict(self.hardware)}
        return {
            "name": self.name,
            "base_model": str(self.base_model),
            "training": training,
            "arms": [arm.document(store) for arm in self.arms],
            "seeds": self.seeds if isinstance(self.seeds, int) else list(self.seeds),
            "placebo": self.placebo,
            "selection": {"policy": self.selection} if isinstance(self.selection, str) else dict(self.selection),
            "benchmarks": [benchmark.document(store) for benchmark in self.benchmarks],
            "priority": self.priority,
            **{key: value for key, value in optional.items() if value},
        }

    def submit(self, settings: ClientSettings | None = None) -> Run:
        """Snapshots rows, publishes `experiment.requested` and returns at once."""
        settings = settings or load_settings()
        return submit_document(self.document(Store(settings)), Path.cwd(), settings)


WRITTEN = {Arm: "Arm('clean', rows)", Benchmark: "Benchmark('gsm8k', limit=200)"}


def _other_than(kind: type, field_path: str, given: Any) -> list[Problem]:
    """Where a list of arms or benchmarks is none, or holds names, mappings or whatever else in their place."""
    if not isinstance(given, Sequence) or isinstance(given, str):
        found = [(field_path, f"must be a list of {kind.__name__}s.", f"Write [{WRITTEN[kind]}].", given)]
    else:
        wrong = [(place, one) for place, one in enumerate(given) if not isinstance(one, kind)]
        must = f"must be made by {kind.__name__}."
        found = [(f"{field_path}.{place}", must, f"Write {WRITTEN[kind]}.", one) for place, one in wrong]
    return [
        Problem(field=where, message=message, mend=f"{mend} Given: {type(one).__name__}.")
        for where, message, mend, one in found
    ]


def submit_document(document: Mapping[str, Any], folder: Path, settings: ClientSettings) -> Run:
    """Publishes a specification whose relative paths are relative to `folder`.

    Raises Refused when it is over the size limit of an event, and NotConnected.
    """
    found = located(document, folder, Store(settings))
    size = len(json.dumps(found, default=str).encode())
    if size > MAX_EVENT_BYTES - 4096:
        mend = "Give datasets as paths or snapshots instead of listing them."
        message = f"{size} bytes is over the limit of {MAX_EVENT_BYTES - 4096} bytes."
        raise Refused([Problem(field=WHOLE_DOCUMENT, message=message, mend=mend)])
    event = request_event(found, settings.source)
    run_blocking(stream.publish(settings, [event]))
    return Run(event.key, settings, event.time)


def request_event(document: Mapping[str, Any], source: str) -> Event:
    """The `experiment.requested` event of a document; each call asks for an experiment of its own."""
    request_id = str(uuid.uuid4())
    key = experiment_id(source, request_id)
    return Event(
        id=request_id,
        source=source,
        type="experiment.requested",
        time=datetime.now(UTC),
        data=dict(document),
        key=key,
        subject=key,
        dataschema=TOPICS["experiment.requested"].dataschema,
        correlationid=key,
    )

"""The catalogue of published benchmarks, a file each: how to ask for one, its data at a fixed revision, its figures.

Says nothing of how a benchmark is scored, and never fetches anything. A file's commit changes with a new harness
version alone, since that is part of jobs' keys and the commit is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal, Self

import yaml
from pydantic import Field, model_validator

from assay_schemas.algorithms import Closed
from assay_schemas.benchmarks import OWN_BENCHMARKS, BenchmarkDefinition, definition_of

FOLDER = "benchmark_files"
COMMIT = r"^[0-9a-f]{40}$"
Domain = Literal["reasoning", "knowledge", "coding", "instruction following", "visual reasoning", "reward models"]


class HubData(Closed):
    """A data set of the hub. `config` is in words where each task has another; `file` is the one to give as
    `dataset`, for benchmarks that do not fetch their own."""

    hub: str
    config: str | None = None
    split: str
    revision: str | None = Field(default=None, pattern=COMMIT, description="the commit; none where none is known")
    file: str | None = None

    @property
    def download(self) -> str:
        """The command that brings the data to this machine."""
        parts = ["hf download", self.hub, *([self.file] if self.file else []), "--repo-type dataset"]
        parts += [f"--revision {self.revision}"] if self.revision else []
        return " ".join([*parts, *([f"--local-dir {self.hub.partition('/')[2]}"] if self.file else [])])


class PublishedFigure(Closed):
    """A figure that somebody published: of a model at a revision, or of something else that `what` says.

    `rows` is how the rows that reproduce it begin, where it is no model's (`assay regress --only`).
    """

    model: str | None = None
    revision: str | None = Field(default=None, pattern=COMMIT)
    what: str = ""
    rows: str = ""
    metric: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    figure: float
    tolerance: float = Field(ge=0)
    source: str

    @model_validator(mode="after")
    def _of_something(self) -> Self:
        if (self.model is None) != (self.revision is None) or (self.model is None) == (not self.what):
            raise ValueError("give model and revision, or what the figure is of")
        return self


class CatalogueEntry(Closed):
    """A published benchmark: its name in a specification (`benchmark`), the parameters it has there without any
    given, its metrics (the first leads), its data with the columns that count, and the figures it is aligned to."""

    name: str
    domain: Domain
    what: str
    benchmark: str
    harness_version: str
    parameters: dict[str, Any]
    metrics: list[str] = Field(min_length=1)
    data: HubData
    columns: list[str] = Field(min_length=1)
    published: list[PublishedFigure] = Field(default_factory=list)
    no_figure: str = Field(default="", description="why there is no published figure to be aligned to")

    @property
    def brings_data(self) -> bool:
        """Whether the harness fetches the data itself; else it is given as `dataset`."""
        return self.benchmark not in OWN_BENCHMARKS

    @property
    def definition(self) -> BenchmarkDefinition:
        found = definition_of(self.benchmark, self.harness_version)
        if found is None:
            raise ValueError(f"benchmark: {self.benchmark} is not known to {self.harness_version}")
        return found

    @property
    def in_specification(self) -> dict[str, Any]:
        """What stands for it under `benchmarks`."""
        if self.brings_data:
            return {"name": self.benchmark}
        return {
            "name": self.benchmark,
            "parameters": {"dataset": f"{self.data.hub.partition('/')[2]}/{self.data.file}"},
        }

    @model_validator(mode="after")
    def _figure_or_reason(self) -> Self:
        if bool(self.no_figure) == bool(self.published):
            raise ValueError("give published figures, or say why there is none")
        return self


@cache
def catalogue() -> Mapping[str, CatalogueEntry]:
    """Every entry by its name, which is its file's."""
    files = sorted((resources.files("assay_schemas") / FOLDER).iterdir(), key=lambda file: file.name)
    names = [(file, file.name.removesuffix(".yaml")) for file in files if file.name.endswith(".yaml")]
    return {
        name: CatalogueEntry.model_validate({"name": name, **yaml.safe_load(file.read_text(encoding="utf-8"))})
        for file, name in names
    }


@cache
def pinned_revisions() -> Mapping[str, str]:
    """The revision of each data set of the hub that an entry fixes."""
    data = [entry.data for entry in catalogue().values()]
    return {one.hub: one.revision for one in data if one.revision is not None}

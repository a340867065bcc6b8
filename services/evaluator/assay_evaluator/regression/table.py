"""The table of published figures: one row a figure, with its source and how far off is still right.

Rows are those of table.json and the figures that the catalogue's benchmarks are aligned to. Nothing is computed here.
"""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any, Literal

from assay_schemas.catalogue import CatalogueEntry, PublishedFigure, catalogue
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class Figure(BaseModel):
    """What every row has: a name, the published figure, the tolerance on either side, and where it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    figure: float
    tolerance: float = Field(ge=0)
    source: str


class LabelFigure(Figure):
    """The share of published example solutions of GSM8K that a rule judges as they are labelled."""

    kind: Literal["labels"]
    rule: Literal["numeric", "strict-match", "flexible-extract"]
    options: dict[str, Any] = Field(default_factory=dict)


class ModelFigure(Figure):
    """A metric of a model at a revision on a task of a harness version."""

    kind: Literal["model"]
    model: str
    revision: str
    benchmark: str
    harness_version: str
    metric: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class ReportedFigure(Figure):
    """A figure of what nobody can ask again, or not as it was asked; it stands for what the benchmark is aligned to."""

    kind: Literal["reported"] = "reported"
    what: str


Row = Annotated[LabelFigure | ModelFigure | ReportedFigure, Field(discriminator="kind")]
_TABLE: TypeAdapter[list[Row]] = TypeAdapter(list[Row])


def table() -> list[Row]:
    """Every row: the file's in its order, then those that the catalogue adds."""
    listed = _TABLE.validate_json((resources.files("assay_evaluator.regression") / "table.json").read_bytes())
    added = [_row(entry, figure) for entry in catalogue().values() for figure in entry.published if not figure.rows]
    known = {_of(row) for row in listed}
    return [*listed, *(row for row in added if _of(row) not in known)]


def _row(entry: CatalogueEntry, figure: PublishedFigure) -> ModelFigure | ReportedFigure:
    same = {"figure": figure.figure, "tolerance": figure.tolerance, "source": figure.source}
    if figure.model is None or figure.revision is None:
        return ReportedFigure(name=f"{entry.name}, {figure.metric}", what=figure.what, **same)
    return ModelFigure(
        kind="model",
        name=f"{figure.model.partition('/')[2]} on {entry.name}, {figure.metric}",
        model=figure.model,
        revision=figure.revision,
        benchmark=entry.name,
        harness_version=entry.harness_version,
        metric=figure.metric,
        parameters=figure.parameters,
        **same,
    )


def _of(row: Row) -> tuple[str, ...]:
    """What a row is a figure of; the file and the catalogue may both have it."""
    return (row.model, row.benchmark, row.metric) if isinstance(row, ModelFigure) else (row.name,)

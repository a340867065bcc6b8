"""The table of published figures: one row a figure, with its source and how far off is still right.

To add a figure: a row in table.json. Nothing is computed here.
"""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any, Literal

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


Row = Annotated[LabelFigure | ModelFigure, Field(discriminator="kind")]
_TABLE: TypeAdapter[list[Row]] = TypeAdapter(list[Row])


def table() -> list[Row]:
    """Every row, in the file's order."""
    return _TABLE.validate_json((resources.files("assay_evaluator.regression") / "table.json").read_bytes())

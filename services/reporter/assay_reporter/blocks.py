"""What a report is made of: a closed union of blocks that every renderer knows.

Blocks hold values, never markup; model text in them is plain text and stays so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Block(BaseModel):
    model_config = ConfigDict(frozen=True)


class Paragraph(Block):
    """A sentence or a few; `tone` is shown by a word or mark as well as by colour."""

    kind: Literal["paragraph"] = "paragraph"
    text: str
    tone: Literal["plain", "good", "bad", "warning"] = "plain"


class Bullets(Block):
    kind: Literal["bullets"] = "bullets"
    items: list[str]


LONGEST_OPEN = 12
"""Rows of a table of details that is always shown; a longer one is folded."""


class TableBlock(Block):
    """Text cells under headings; `numeric` columns are set right. `folded`: what stands on the fold of a table that
    is shown when asked for; empty for one that is always shown."""

    kind: Literal["table"] = "table"
    columns: list[str]
    rows: list[list[str]]
    numeric: list[int] = Field(default_factory=list)
    caption: str = ""
    folded: str = ""

    @classmethod
    def of_details(cls, what: str, rows: list[list[str]], **more: Any) -> TableBlock:
        """A table that is folded under `what` and its number of rows where it is long."""
        return cls(rows=rows, folded=f"{what} ({len(rows)})" if len(rows) > LONGEST_OPEN else "", **more)


class Interval(Block):
    """One row of a forest plot: a difference with its interval, all in the unit of the axis."""

    label: str
    value: float
    low: float
    high: float
    verdict: str


class ForestPlot(Block):
    kind: Literal["forest"] = "forest"
    title: str
    axis: str
    rows: list[Interval]
    smallest_effect: float | None = None
    legend: str = ""


class Curve(Block):
    """One line: x ascending, y of the same length."""

    label: str
    group: str
    x: list[float]
    y: list[float]


class CurvePlot(Block):
    kind: Literal["curves"] = "curves"
    title: str
    x_title: str
    y_title: str
    curves: list[Curve]


class Part(Block):
    """A piece of a text; `changed` where the text it is held against has it not."""

    text: str
    changed: bool = False


class Nearest(Block):
    """A training row of an arm that is like the item; `likeness` from 0 to 1."""

    arm: str
    likeness: float
    text: str


class Answer(Block):
    """One response to an item; `score` None where the item failed. `parts`: the text with what is new against
    control marked; empty where there is nothing to hold it against."""

    who: str
    text: str
    extracted: str | None = None
    score: float | None = None
    parts: list[Part] = Field(default_factory=list)


class Item(Block):
    """One benchmark item with the responses of control and arms side by side; `images`: their keys in the object
    store, in the order in which they were shown."""

    id: str
    prompt: str
    target: str
    answers: list[Answer]
    note: str = ""
    nearest: list[Nearest] = Field(default_factory=list)
    images: list[str] = Field(default_factory=list)


class Responses(Block):
    kind: Literal["responses"] = "responses"
    items: list[Item]
    shown_of: int = Field(ge=0, description="how many items there are in all")


AnyBlock = Annotated[Paragraph | Bullets | TableBlock | ForestPlot | CurvePlot | Responses, Field(discriminator="kind")]


class Section(Block):
    """A titled run of blocks; `anchor` is its place in the page's address.

    `findings`: what stands out here, in sentences that the first screen repeats; none on clean data.
    """

    title: str
    anchor: str
    blocks: list[AnyBlock]
    findings: list[str] = Field(default_factory=list)

"""What an own benchmark is: how an item becomes a document of the harness, and its result a sample.

Never runs a model and never imports the harness.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from assay_schemas.benchmarks import BenchmarkParameters, OwnParameters
from assay_schemas.canonical import canonical_json
from assay_schemas.results import Sample

from assay_evaluator.engines.base import Generation
from assay_evaluator.items import Item

Document = dict[str, Any]
TaskConfig = dict[str, Any]


class UnusableItem(ValueError):
    """The item cannot be asked; the message names the column and the mend."""


@dataclass(frozen=True)
class Logged:
    """What the harness recorded of one document: prompt, responses as the engine gave them, metric values."""

    prompt: str
    responses: Sequence[Any]
    metrics: Mapping[str, Any]
    generations: Sequence[Generation]


class OwnBenchmark(Protocol):
    """One file of this package. `primary` is the metric whose per-item values are the samples' scores.

    `renamed` maps the harness's metric names to the ones that are reported.
    """

    primary: ClassVar[str]
    renamed: ClassVar[Mapping[str, str]]

    def document(self, item: Item) -> Document:
        """The item as the harness sees it. Raises UnusableItem."""
        ...

    def task(self, documents: Sequence[Document]) -> TaskConfig:
        """The harness's task configuration, less the data: all that decides prompts and scores."""
        ...

    def samples(self, item: Item, document: Document, logged: Logged) -> list[Sample]:
        """The item's samples, one for each response."""
        ...


def scorer_name(name: str, version: int, parameters: BenchmarkParameters, asking: type[BenchmarkParameters]) -> str:
    """`name/version`, and those parameters that are not their default and not of `asking`: how models are asked."""
    given = parameters.model_dump(exclude=set(asking.model_fields), exclude_defaults=True)
    return f"{name}/{version} {canonical_json(given).decode()}" if given else f"{name}/{version}"


def text_of(item: Item, *columns: str) -> str:
    """The first of these columns that the row has, as text. Raises UnusableItem."""
    for column in columns:
        value = item.row.get(column)
        if value is not None:
            if isinstance(value, bool | list | dict):
                raise UnusableItem(f"{column}: is {type(value).__name__}, not text; write it as text")
            return str(value)
    raise UnusableItem(f"{' or '.join(columns)}: is missing; add the column")


def not_empty(text: str, column: str) -> str:
    """The text. Raises UnusableItem where it is blank."""
    if not text.strip():
        raise UnusableItem(f"{column}: is empty; give text, or leave the row out")
    return text


def stops(given: Sequence[str], parameters: OwnParameters) -> list[str]:
    """Stop sequences: those given, else a blank line after examples, else none but the end token.

    A model that saw examples separated by blank lines would go on with another example.
    """
    return list(given) or (["\n\n"] if parameters.num_fewshot else [])

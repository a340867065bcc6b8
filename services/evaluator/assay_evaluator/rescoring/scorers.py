"""What can judge a stored response, by name: every own benchmark that reads one, and values stored beside it.

To add one: a benchmark with `extract`, `target` and `score` is here by itself; others need a line in SCORERS.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from assay_schemas.benchmarks import OWN_BENCHMARKS, BenchmarkParameters, GenerationParameters
from assay_schemas.problems import nearest, problems_of
from pydantic import ConfigDict, Field, ValidationError

from assay_evaluator.benchmarks import BENCHMARKS
from assay_evaluator.benchmarks.base import UnusableItem
from assay_evaluator.benchmarks.generation import GenerationBenchmark

STORED = "stored"
Options = Mapping[str, Any]


class ScorerRefused(ValueError):
    """No such scorer, or not with these options; the message names what there is."""


@dataclass(frozen=True)
class Stored:
    """A stored response: its text, the item's whole answer, and the other values of its sample."""

    response: str
    answer: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judged:
    """The answer that was read (None: none was found), its score, and what it counts as in a majority."""

    extracted: str | None
    score: float
    vote: Hashable | None


class Scorer(Protocol):
    """`name` is what samples will say has scored them."""

    name: str

    def judge(self, stored: Stored) -> Judged:
        """Raises UnusableItem where the stored item has not what is needed."""
        ...


class ByBenchmark:
    """The extraction and comparison of an own benchmark."""

    def __init__(self, benchmark: GenerationBenchmark[Any]) -> None:
        self.name = benchmark.scorer
        self._benchmark = benchmark

    def judge(self, stored: Stored) -> Judged:
        document = self._benchmark.stored(stored.answer, stored.details)
        found = self._benchmark.judge(stored.response, document)
        vote = self._benchmark.vote(found.extracted) if self._benchmark.voting else None
        return Judged(found.extracted, found.score, vote)


class StoredOptions(BenchmarkParameters):
    model_config = ConfigDict(extra="forbid")

    value: str = Field(description="which of the sample's stored values becomes its score")


class ByStoredValue:
    """Another value that the harness computed then: `exact_match,flexible-extract`, `accuracy_normalised`, …"""

    def __init__(self, options: StoredOptions) -> None:
        self.name = f"{STORED} {options.value}"
        self._value = options.value

    def judge(self, stored: Stored) -> Judged:
        value = stored.details.get(self._value)
        if isinstance(value, bool | int | float):
            return Judged(None, float(value), None)
        numbers = [name for name, other in stored.details.items() if isinstance(other, bool | int | float)]
        known = nearest(self._value, numbers) if numbers else "There are none."
        raise UnusableItem(f"value: {self._value!r} is no number that was stored with the sample. {known}")


@dataclass(frozen=True)
class ScorerType:
    """How a scorer's options are read, which of them it takes, and how it is made of them."""

    options: type[BenchmarkParameters]
    make: Callable[[Any], Scorer]

    @property
    def names(self) -> list[str]:
        """The options that say how to score; those that say how to ask mean nothing here."""
        asking = GenerationParameters if issubclass(self.options, GenerationParameters) else BenchmarkParameters
        return [name for name in self.options.model_fields if name not in asking.model_fields]


def _of_benchmark(name: str) -> ScorerType:
    return ScorerType(OWN_BENCHMARKS[name].parameters, lambda parameters: ByBenchmark(BENCHMARKS[name](parameters)))  # type: ignore[arg-type]


SCORERS: dict[str, ScorerType] = {
    **{
        name: _of_benchmark(name)
        for name, benchmark in BENCHMARKS.items()
        if isinstance(benchmark, type) and issubclass(benchmark, GenerationBenchmark) and not benchmark.needs_model
    },
    STORED: ScorerType(StoredOptions, ByStoredValue),
}


def without_responses(scored_by: str) -> bool:
    """Whether what scored a sample compares likelihoods: its `response` is a choice or a text that nobody generated."""
    benchmark = BENCHMARKS.get(scored_by.partition("/")[0])
    return isinstance(benchmark, type) and not issubclass(benchmark, GenerationBenchmark)


def scorer_of(name: str, options: Options) -> Scorer:
    """The scorer with these options; texts are read as what an option is. Raises ScorerRefused."""
    known = SCORERS.get(name)
    if known is None:
        raise ScorerRefused(f"scorer: {name!r} is not known. {nearest(name, SCORERS)}")
    if unknown := [option for option in options if option not in known.names]:
        has = ", ".join(known.names) or "none"
        raise ScorerRefused(f"{name}: {', '.join(unknown)} says nothing about scoring; its options are {has}")
    try:
        return known.make(known.options.model_validate(dict(options)))
    except ValidationError as error:
        problems = problems_of(error, known.options, name)
        raise ScorerRefused("; ".join(map(str, problems))) from error

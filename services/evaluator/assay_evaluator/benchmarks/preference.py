"""preference: of several answers to a prompt, the model must like a chosen one best.

A reward model says so by its scores, a language model by its likelihood a byte; nothing is generated.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from assay_schemas.benchmarks import LikelihoodParameters
from assay_schemas.results import Sample

from assay_evaluator.benchmarks.base import Document, Logged, TaskConfig, UnusableItem, not_empty, text_of
from assay_evaluator.items import Item

ANSWERS = ("chosen", "rejected")


class Preference:
    """`accuracy` is the share of items whose highest value is a chosen answer's; a pair with equal values counts half.

    `chosen` and `rejected` are texts, as in RewardBench, or lists of texts, as in RewardBench 2 and best-of-k.

    The value is the log-likelihood of the answer given its prompt for each of its bytes, so that a longer answer is
    not held against it.
    """

    primary: ClassVar[str] = "accuracy"
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self, parameters: LikelihoodParameters) -> None:
        self.parameters = parameters

    def document(self, item: Item) -> Document:
        chosen, rejected = (answers_of(item, column) for column in ANSWERS)
        if both := set(chosen) & set(rejected):
            raise UnusableItem(
                f"chosen: is the same as rejected: {min(both)[:40]!r}; give others, or leave the row out"
            )
        return {"id": item.id, "prompt": text_of(item, "prompt"), "answers": chosen + rejected, "chosen": len(chosen)}

    def task(self, documents: Sequence[Document]) -> TaskConfig:  # noqa: ARG002
        return {
            "output_type": "multiple_choice",
            "doc_to_text": lambda document: document["prompt"],
            "doc_to_choice": lambda document: document["answers"],
            "doc_to_target": lambda _: 0,
            "target_delimiter": "",
            "metric_list": [{"metric": self.primary, "aggregation": "mean", "higher_is_better": True}],
            "process_results": self._process,
        }

    def _process(self, document: Document, results: Sequence[Any]) -> dict[str, float]:
        values = self._values(document, results)
        return {self.primary: won(values[: document["chosen"]], values[document["chosen"] :])}

    def _values(self, document: Document, results: Sequence[Any]) -> list[float]:
        return [self.value(float(found[0]), answer) for found, answer in zip(results, document["answers"], strict=True)]

    def value(self, computed: float, answer: str) -> float:
        """What is compared: the engine's log-likelihood for each byte of the answer."""
        return computed / len(answer.encode())

    def samples(self, item: Item, document: Document, logged: Logged) -> list[Sample]:
        values = self._values(document, [response[0] for response in logged.responses])
        answers, chosen = document["answers"], document["chosen"]
        best = max(range(len(values)), key=values.__getitem__)
        sides = dict(zip(ANSWERS, (answers[:chosen], answers[chosen:]), strict=True))
        by_side = dict(zip(ANSWERS, (values[:chosen], values[chosen:]), strict=True))
        return [
            Sample(
                item_id=item.id,
                item_index=item.index,
                prompt=logged.prompt,
                target=answers[0],
                response=answers[best],
                score=float(logged.metrics[self.primary]),
                scorer="preference/2",
                details=json.dumps({**sides, "values": by_side}, ensure_ascii=False),
            )
        ]


class ScoredPreference(Preference):
    """The same for a reward model: the value is its score of prompt and answer."""

    def value(self, computed: float, answer: str) -> float:  # noqa: ARG002
        return computed


def answers_of(item: Item, column: str) -> list[str]:
    """The answers in a column that has one text or a list of them. Raises UnusableItem."""
    given = item.row.get(column)
    if not isinstance(given, list):
        return [not_empty(text_of(item, column), column)]
    if not given or not all(isinstance(answer, str) for answer in given):
        raise UnusableItem(f"{column}: is a list, but not of texts; give one text or several")
    return [not_empty(answer, column) for answer in given]


def won(chosen: Sequence[float], rejected: Sequence[float]) -> float:
    """The share of the answers with the highest value that are chosen ones: half for a pair of equals.

    As RewardBench 2 scores its items with one chosen answer: an answer that ties with others has its part. NaN where
    one of them has no value.
    """
    if any(map(math.isnan, [*chosen, *rejected])):
        return math.nan
    top = max(*chosen, *rejected)
    winners = sum(value == top for value in chosen)
    return winners / (winners + sum(value == top for value in rejected))

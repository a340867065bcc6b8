"""preference: of two answers to a prompt, the model must like the chosen one better than the rejected one.

A reward model says so by its scores, a language model by its likelihood a byte; nothing is generated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from assay_schemas.benchmarks import LikelihoodParameters
from assay_schemas.results import Sample

from assay_evaluator.benchmarks.base import Document, Logged, TaskConfig, UnusableItem, not_empty, text_of
from assay_evaluator.items import Item

ANSWERS = ("chosen", "rejected")
TIE = 0.5


class Preference:
    """`accuracy` is the share of pairs whose chosen answer has the higher value; equal values count half.

    The value is the log-likelihood of the answer given its prompt for each of its bytes, so that a longer answer is
    not held against it.
    """

    primary: ClassVar[str] = "accuracy"
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self, parameters: LikelihoodParameters) -> None:
        self.parameters = parameters

    def document(self, item: Item) -> Document:
        chosen, rejected = (not_empty(text_of(item, answer), answer) for answer in ANSWERS)
        if chosen == rejected:
            raise UnusableItem("chosen: is the same as rejected; give two answers, or leave the row out")
        return {"id": item.id, "prompt": text_of(item, "prompt"), "chosen": chosen, "rejected": rejected}

    def task(self, documents: Sequence[Document]) -> TaskConfig:  # noqa: ARG002
        return {
            "output_type": "multiple_choice",
            "doc_to_text": lambda document: document["prompt"],
            "doc_to_choice": lambda document: [document[answer] for answer in ANSWERS],
            "doc_to_target": lambda _: 0,
            "target_delimiter": "",
            "metric_list": [{"metric": self.primary, "aggregation": "mean", "higher_is_better": True}],
            "process_results": self._process,
        }

    def _process(self, document: Document, results: Sequence[Any]) -> dict[str, float]:
        return {self.primary: won(*self._values(document, results))}

    def _values(self, document: Document, results: Sequence[Any]) -> list[float]:
        answers = (document[answer] for answer in ANSWERS)
        return [self.value(float(found[0]), answer) for found, answer in zip(results, answers, strict=True)]

    def value(self, computed: float, answer: str) -> float:
        """What is compared: the engine's log-likelihood for each byte of the answer."""
        return computed / len(answer.encode())

    def samples(self, item: Item, document: Document, logged: Logged) -> list[Sample]:
        values = self._values(document, [response[0] for response in logged.responses])
        return [
            Sample(
                item_id=item.id,
                item_index=item.index,
                prompt=logged.prompt,
                target=document["chosen"],
                response=document[ANSWERS[values[1] > values[0]]],
                score=float(logged.metrics[self.primary]),
                scorer="preference/1",
                details=json.dumps(
                    {"rejected": document["rejected"], "values": dict(zip(ANSWERS, values, strict=True))}
                ),
            )
        ]


class ScoredPreference(Preference):
    """The same for a reward model: the value is its score of prompt and answer."""

    def value(self, computed: float, answer: str) -> float:  # noqa: ARG002
        return computed


def won(chosen: float, rejected: float) -> float:
    """1 where the chosen answer has the higher value, half where they are equal."""
    return TIE if chosen == rejected else float(chosen > rejected)

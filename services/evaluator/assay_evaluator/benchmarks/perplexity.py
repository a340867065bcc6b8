"""perplexity: how many bits the model needs for each byte of held-out text; lower is better.

With `text` the whole text counts, otherwise the completion or answer given its prompt.
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

CORPUS = "bits_per_byte_corpus"


class Perplexity:
    """`bits_per_byte` is the mean over items; `bits_per_byte_corpus` weights items by their bytes, as lm-eval does.

    The likelihoods are lm-eval's: rolling windows over whole texts, and for a completion its
    conditional log-likelihood. A prompt's trailing whitespace is scored with the completion, as
    lm-eval does, so its bytes count too.
    """

    primary: ClassVar[str] = "bits_per_byte"
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self, parameters: LikelihoodParameters) -> None:
        self.parameters = parameters

    def document(self, item: Item) -> Document:
        if item.row.get("text") is not None:
            return {"id": item.id, "prompt": "", "target": not_empty(text_of(item, "text"), "text")}
        prompt = not_empty(text_of(item, "prompt", "question"), "prompt")
        if item.row.get("completion") is not None:
            target = not_empty(text_of(item, "completion"), "completion")
        else:
            target = set_off(prompt, not_empty(text_of(item, "answer"), "answer"))
        return {"id": item.id, "prompt": prompt, "target": target}

    def task(self, documents: Sequence[Document]) -> TaskConfig:
        whole = [not document["prompt"] for document in documents]
        if any(whole) and not all(whole):
            raise UnusableItem("text: only some items have it; give every item `text`, or every item a prompt")
        return {
            "output_type": "loglikelihood_rolling" if all(whole) else "loglikelihood",
            "doc_to_text": lambda document: document["prompt"],
            "doc_to_target": lambda document: document["target"],
            "target_delimiter": "",
            "metric_list": [
                {"metric": self.primary, "aggregation": "mean", "higher_is_better": False},
                {"metric": CORPUS, "aggregation": "bits_per_byte", "higher_is_better": False},
            ],
            "process_results": self._process,
        }

    def _process(self, document: Document, results: Sequence[Any]) -> dict[str, Any]:
        likelihood = likelihood_of(results[0])
        size = scored_bytes(document)
        return {self.primary: bits_per_byte(likelihood, size), CORPUS: (likelihood, size)}

    def samples(self, item: Item, document: Document, logged: Logged) -> list[Sample]:
        likelihood = likelihood_of(logged.responses[0][0])
        return [
            Sample(
                item_id=item.id,
                item_index=item.index,
                prompt=logged.prompt,
                target=document["target"],
                score=float(logged.metrics[self.primary]),
                logprob=likelihood,
                scorer="perplexity/1",
                details=json.dumps({"bytes": scored_bytes(document)}),
            )
        ]


def likelihood_of(response: Any) -> float:
    """The natural-log likelihood in an engine's answer: alone, or with whether it was the greedy choice."""
    return float(response[0] if isinstance(response, tuple | list) else response)


def bits_per_byte(likelihood: float, size: int) -> float:
    """−log₂ of the likelihood, for each byte."""
    return -likelihood / size / math.log(2)


def scored_bytes(document: Document) -> int:
    """UTF-8 bytes of what is scored: the target and the prompt's trailing whitespace."""
    prompt: str = document["prompt"]
    trailing = prompt[len(prompt.rstrip()) :]
    return len((trailing + document["target"]).encode())


def set_off(prompt: str, answer: str) -> str:
    """The answer as it continues its prompt: after a space, unless one of them brings whitespace.

    A `completion` is taken as it is instead, because it follows its prompt so in training too.
    """
    return answer if prompt[-1:].isspace() or answer[:1].isspace() else f" {answer}"

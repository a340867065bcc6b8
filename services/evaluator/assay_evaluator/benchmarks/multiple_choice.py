"""multiple_choice: the choice the model finds most likely after the prompt must be the right one.

Scored by lm-eval's multiple_choice; nothing is generated.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from assay_schemas.benchmarks import LikelihoodParameters
from assay_schemas.results import Sample

from assay_evaluator.benchmarks.base import Document, Logged, TaskConfig, UnusableItem, text_of
from assay_evaluator.items import Item


class MultipleChoice:
    """`accuracy` compares whole log-likelihoods, `accuracy_normalised` log-likelihoods per character."""

    primary: ClassVar[str] = "accuracy"
    renamed: ClassVar[Mapping[str, str]] = {"acc": "accuracy", "acc_norm": "accuracy_normalised"}

    def __init__(self, parameters: LikelihoodParameters) -> None:
        self.parameters = parameters

    def document(self, item: Item) -> Document:
        choices = item.row.get("choices")
        if not isinstance(choices, list) or len(choices) < 2:
            raise UnusableItem("choices: is not a list of two or more; give every choice as text")
        texts = [str(choice) for choice in choices]
        if not all(texts):
            raise UnusableItem("choices: one of them is empty; give every choice as text")
        answer = right_choice(item.row.get("answer"), texts)
        return {"id": item.id, "prompt": text_of(item, "prompt", "question"), "choices": texts, "answer": answer}

    def task(self, documents: Sequence[Document]) -> TaskConfig:
        return {
            "output_type": "multiple_choice",
            "doc_to_text": lambda document: document["prompt"],
            "doc_to_choice": lambda document: document["choices"],
            "doc_to_target": lambda document: document["answer"],
            "target_delimiter": delimiter(documents),
            "metric_list": [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in self.renamed],
        }

    def samples(self, item: Item, document: Document, logged: Logged) -> list[Sample]:
        likelihoods = [float(response[0][0]) for response in logged.responses]
        chosen = max(range(len(likelihoods)), key=likelihoods.__getitem__)
        return [
            Sample(
                item_id=item.id,
                item_index=item.index,
                prompt=logged.prompt,
                target=document["choices"][document["answer"]],
                response=document["choices"][chosen],
                extracted=str(chosen),
                score=float(logged.metrics["acc"]),
                logprob=likelihoods[chosen],
                scorer="multiple_choice/1",
                details=json.dumps(
                    {
                        "choices": document["choices"],
                        "answer": document["answer"],
                        "logprobs": likelihoods,
                        "accuracy_normalised": float(logged.metrics["acc_norm"]),
                    },
                    ensure_ascii=False,
                ),
            )
        ]


def delimiter(documents: Sequence[Document]) -> str:
    """What stands between prompt and choice: a space, or nothing where prompts or choices bring their own."""
    prompts = all(document["prompt"][-1:].isspace() for document in documents)
    choices = all(choice[0].isspace() for document in documents for choice in document["choices"])
    return "" if prompts or choices else " "


def right_choice(answer: Any, choices: Sequence[str]) -> int:
    """The index the answer names: an index from 0, the text of a choice, or its letter. Raises UnusableItem."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        index = answer
    elif isinstance(answer, str) and answer in choices:
        index = choices.index(answer)
    elif isinstance(answer, str) and answer.strip().isdecimal():
        index = int(answer)
    elif isinstance(answer, str) and len(answer.strip()) == 1 and answer.strip().isascii():
        index = ord(answer.strip().upper()) - ord("A")
    else:
        index = -1
    if not 0 <= index < len(choices):
        raise UnusableItem(
            f"answer: {answer!r} names none of {len(choices)} choices; give its index from 0 or its text"
        )
    return index

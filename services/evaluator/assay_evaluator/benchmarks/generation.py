"""What benchmarks scored on generated answers share: one prompt, n responses, a score for each.

Never says what is right: each benchmark brings its own extraction and comparison.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from assay_schemas.benchmarks import GenerationParameters
from assay_schemas.results import Sample

from assay_evaluator.benchmarks.base import Document, Logged, TaskConfig, not_empty, scorer_name, stops, text_of
from assay_evaluator.benchmarks.several import metrics_of, names_of
from assay_evaluator.engines.base import UNKNOWN
from assay_evaluator.items import Item

Parameters = TypeVar("Parameters", bound=GenerationParameters)


@dataclass(frozen=True)
class Judgement:
    """What a response came to: the answer that was read (None: none was found) and its score.

    Where it could not be judged, `error` says why, and the score is NaN.
    """

    extracted: str | None
    score: float
    error: str = ""


class GenerationBenchmark(ABC, Generic[Parameters]):
    """Prompt in, text out; temperature 0 decodes greedily, otherwise `samples` responses are drawn.

    `voting`: whether responses can have the same answer, so that a majority means something; `needs_model`:
    whether a stored response needs another model to be judged again.
    `version` grows with every change of extraction or comparison; it is part of every sample's `scorer`.
    """

    primary: ClassVar[str]
    version: ClassVar[int] = 1
    voting: ClassVar[bool] = True
    needs_model: ClassVar[bool] = False
    renamed: ClassVar[Mapping[str, str]] = {}

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    @property
    def scorer(self) -> str:
        """Name, version and parameters of what scores, as samples name it."""
        return scorer_name(self.primary, self.version, self.parameters, GenerationParameters)

    def vote(self, extracted: str | None) -> Hashable | None:
        """What responses with this answer have in common when they are counted; None has no vote."""
        return extracted

    @abstractmethod
    def extract(self, response: str) -> str | None:
        """The answer in a response, or None where it has none."""

    @abstractmethod
    def target(self, answer: str) -> str:
        """What a response's answer is compared with. Raises UnusableItem."""

    @abstractmethod
    def score(self, extracted: str | None, target: str) -> float:
        """1 for a right answer, 0 for a wrong one or none."""

    def judge(self, response: str, document: Document) -> Judgement:
        extracted = self.extract(response)
        return Judgement(extracted, self.score(extracted, document["target"]))

    def judge_all(self, responses: Sequence[str], document: Document) -> list[Judgement]:
        """The judgement of each response to one item."""
        return [self.judge(response, document) for response in responses]

    def kept(self, document: Document) -> Mapping[str, Any]:
        """What a sample keeps of its document, so that its response can be judged again; `answer` among it."""
        return {"answer": document["answer"]}

    def stored(self, answer: str, details: Mapping[str, Any]) -> Document:  # noqa: ARG002  others keep more
        """What `judge` needs of a document, from what a sample kept. Raises UnusableItem."""
        return {"answer": answer, "target": self.target(answer)}

    def document(self, item: Item) -> Document:
        answer = text_of(item, "answer")
        return {
            "id": item.id,
            "prompt": not_empty(text_of(item, "prompt", "question"), "prompt"),
            "answer": answer,
            "target": self.target(answer),
        }

    def task(self, documents: Sequence[Document]) -> TaskConfig:  # noqa: ARG002  others look at all documents
        parameters = self.parameters
        settings: dict[str, Any] = {
            "until": stops(parameters.stop, parameters),
            "max_gen_toks": parameters.max_tokens,
            "do_sample": parameters.temperature > 0,
            "temperature": parameters.temperature,
        }
        if parameters.temperature > 0:
            settings |= {"top_p": parameters.top_p, "top_k": 0}
        return {
            "output_type": "generate_until",
            "doc_to_text": lambda document: document["prompt"],
            "doc_to_target": lambda document: document["answer"],
            "generation_kwargs": settings,
            "repeats": parameters.samples,
            "filter_list": [
                {"name": "none", "filter": [{"function": "take_first_k", "k": parameters.samples}]},
            ],
            "metric_list": [
                {"metric": name, "aggregation": "mean", "higher_is_better": True}
                for name in (self.primary, *names_of(parameters.samples, voting=self.voting))
            ],
            "process_results": self._process,
        }

    def _process(self, document: Document, results: Sequence[Sequence[str]]) -> dict[str, float]:
        judged = self.judge_all(results[0], document)
        scores = [one.score for one in judged]
        votes = [self.vote(one.extracted) for one in judged] if self.voting else None
        return {self.primary: sum(scores) / len(scores), **metrics_of(votes, scores)}

    def samples(self, item: Item, document: Document, logged: Logged) -> list[Sample]:
        samples = []
        responses = logged.responses[0]
        for position, (response, judged) in enumerate(zip(responses, self.judge_all(responses, document), strict=True)):
            generation = logged.generations[position] if position < len(logged.generations) else UNKNOWN
            samples.append(
                Sample(
                    item_id=item.id,
                    item_index=item.index,
                    sample_index=position,
                    prompt=logged.prompt,
                    target=document["target"],
                    response=response,
                    extracted=judged.extracted,
                    score=None if judged.error else judged.score,
                    error=judged.error,
                    tokens=generation.tokens,
                    finish_reason=generation.finish_reason,
                    logprob=generation.logprob,
                    token_ids=generation.token_ids,
                    token_logprobs=generation.token_logprobs,
                    scorer=self.scorer,
                    details=json.dumps(dict(self.kept(document)), ensure_ascii=False),
                )
            )
        return samples

"""judge: another model says how good a response is: against the item's answer in both orders, or by a grade alone.

The judge is a declared endpoint. A response on which it gives no verdict has failed; it is never counted as bad.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from assay_schemas.benchmarks import JudgeParameters

from assay_evaluator.benchmarks.base import Document, TaskConfig, not_empty, text_of
from assay_evaluator.benchmarks.generation import GenerationBenchmark, Judgement
from assay_evaluator.endpoint.messages import Answer, Question, Unanswered
from assay_evaluator.items import Item

Ask = Callable[[Sequence[Question]], Sequence[Answer | Unanswered]]
VERDICT = re.compile(r"VERDICT:\W*(A|B|TIE)\b", re.IGNORECASE)
GRADE = re.compile(r"GRADE:\W*(10|[1-9])\b", re.IGNORECASE)
WORTH = {"A": 1.0, "TIE": 0.5, "B": 0.0}
HIGHEST, LOWEST = 10, 1
COMPARE = """\
Compare two answers to the same request. {rubric}

[Request]
{prompt}

[Answer A]
{first}

[Answer B]
{second}

Give your reasons briefly. Then end with one line: VERDICT: A, VERDICT: B or VERDICT: TIE."""
RATE = """\
Judge an answer to a request. {rubric}

[Request]
{prompt}

[Answer]
{first}

Give your reasons briefly. Then end with one line: GRADE: and a whole number from 1 (useless) to 10 (perfect)."""


class Judge(GenerationBenchmark[JudgeParameters]):
    """`preferred` is the mean over items and responses of the judge's opinion, from 0 to 1.

    With an `answer` in the row: 1 where the response is preferred to it, half for a tie, and the mean of both
    orders, so that a judge who likes the first place says nothing by it. Without one: the grade, from 1 to 10.
    """

    primary: ClassVar[str] = "preferred"
    voting: ClassVar[bool] = False
    needs_model: ClassVar[bool] = True

    def __init__(self, parameters: JudgeParameters, ask: Ask | None = None) -> None:
        super().__init__(parameters)
        self._ask_judge = ask
        self._known: dict[tuple[str, str], Judgement] = {}

    def document(self, item: Item) -> Document:
        answer = "" if item.row.get("answer") is None else text_of(item, "answer")
        prompt = not_empty(text_of(item, "prompt", "question"), "prompt")
        return {"id": item.id, "prompt": prompt, "answer": answer, "target": answer}

    def task(self, documents: Sequence[Document]) -> TaskConfig:
        config = super().task(documents)
        [kept] = config["filter_list"]
        kept["filter"].append({"function": "custom", "filter_fn": self._judge_together})
        return config

    def extract(self, response: str) -> str:
        return response

    def target(self, answer: str) -> str:
        return answer

    def score(self, extracted: str | None, target: str) -> float:  # noqa: ARG002  only the judge can say
        return math.nan

    def judge(self, response: str, document: Document) -> Judgement:
        return self._known[document["id"], response]

    def _judge_together(
        self, responses: Iterable[Sequence[str]], documents: Sequence[Document]
    ) -> Sequence[Sequence[str]]:
        """Ask about all responses to all items at once, and remember; the responses go on as they are."""
        listed = list(responses)
        pairs = [
            (document, response)
            for document, given in zip(documents, listed, strict=True)
            for response in dict.fromkeys(given)
        ]
        questions = [self._questions(document, response) for document, response in pairs]
        replies = iter(self._ask([question for asked in questions for question in asked]))
        for (document, response), asked in zip(pairs, questions, strict=True):
            said = [next(replies) for _ in asked]
            self._known[document["id"], response] = opinion(said, compared=bool(document["answer"]))
        return listed

    def _ask(self, questions: Sequence[Question]) -> Sequence[Answer | Unanswered]:
        if self._ask_judge is None:
            from assay_evaluator.endpoint.client import open_client
            from assay_evaluator.settings import EvaluatorSettings

            self._ask_judge = open_client(self.parameters.judge, EvaluatorSettings().endpoints_file).ask
        return self._ask_judge(questions)

    def _questions(self, document: Document, response: str) -> list[Question]:
        answer = document["answer"]
        orders = [(response, answer), (answer, response)] if answer else [(response, "")]
        form = COMPARE if answer else RATE
        return [
            Question(
                messages=[{"role": "user", "content": self._text(form, document["prompt"], first, second)}],
                max_tokens=self.parameters.judge_max_tokens,
                temperature=0.0,
            )
            for first, second in orders
        ]

    def _text(self, form: str, prompt: str, first: str, second: str) -> str:
        return form.format(rubric=self.parameters.rubric, prompt=prompt, first=first, second=second)

    def kept(self, document: Document) -> Mapping[str, Any]:
        return {"answer": document["answer"], "judge": self.parameters.judge}


def opinion(replies: Sequence[Answer | Unanswered], *, compared: bool) -> Judgement:
    """What the judge's replies come to: of two, the second is about the answers in the other order."""
    failed = next((reply for reply in replies if isinstance(reply, Unanswered)), None)
    if failed is not None:
        return Judgement(None, math.nan, f"the judge did not answer: {failed}")
    texts = [reply.text for reply in replies if isinstance(reply, Answer)]
    found = [_last(VERDICT if compared else GRADE, text) for text in texts]
    said = [word for word in found if word is not None]
    if len(said) < len(texts):
        return Judgement(None, math.nan, "the judge gave no verdict in the form that it was asked for")
    if not compared:
        return Judgement(said[0], (int(said[0]) - LOWEST) / (HIGHEST - LOWEST))
    first, second = said
    return Judgement(f"{first}, {second}", (WORTH[first] + 1 - WORTH[second]) / 2)


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.findall(text)
    return str(found[-1]).upper() if found else None

"""A judge's opinion of responses: both orders count, grades are shares, and no verdict is a failure."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from assay_evaluator.benchmarks.judge import Judge, opinion
from assay_evaluator.endpoint.messages import Answer, Question, Unanswered
from assay_evaluator.items import Item
from assay_schemas.benchmarks import JudgeParameters
from pydantic import ValidationError

PARAMETERS = JudgeParameters(judge="endpoint:lab/model", rubric="Shorter is better.")


@pytest.mark.parametrize(
    ("said", "score"),
    [
        (["VERDICT: A", "VERDICT: B"], 1.0),
        (["VERDICT: B", "VERDICT: A"], 0.0),
        (["VERDICT: A", "VERDICT: A"], 0.5),
        (["verdict: **tie**", "VERDICT: B"], 0.75),
        (["VERDICT: B, no. VERDICT: A", "VERDICT: B"], 1.0),
    ],
)
def test_a_comparison_is_the_mean_of_both_orders(said: list[str], score: float) -> None:
    assert opinion([Answer(text) for text in said], compared=True).score == score


@pytest.mark.parametrize(("said", "score"), [("GRADE: 10", 1.0), ("GRADE: 1", 0.0), ("Grade: 4/10", 1 / 3)])
def test_a_grade_is_a_share(said: str, score: float) -> None:
    assert opinion([Answer(said)], compared=False).score == pytest.approx(score)


def test_no_verdict_and_no_answer_are_failures_and_no_score() -> None:
    nonsense = opinion([Answer("VERDICT: A"), Answer("I cannot say")], compared=True)
    assert "no verdict" in nonsense.error
    timeout = opinion([Answer("VERDICT: A"), Unanswered("timeout", "no answer within 5 s")], compared=True)
    assert timeout.error == "the judge did not answer: timeout: no answer within 5 s"
    assert nonsense.score != nonsense.score


def test_the_judge_must_be_a_declared_endpoint() -> None:
    with pytest.raises(ValidationError, match="endpoint:NAME/MODEL"):
        JudgeParameters(judge="gpt")


class Shorter:
    """A judge who prefers the shorter answer, and says nothing about a blank one."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, questions: Sequence[Question]) -> list[Answer]:
        texts = [question.messages[0]["content"] for question in questions]
        self.asked += texts
        return [Answer(self._say(text)) for text in texts]

    def _say(self, text: str) -> str:
        first, second = (part.split("\n\n")[0] for part in text.split("[Answer A]\n")[1].split("[Answer B]\n"))
        return f"VERDICT: {'A' if len(first) < len(second) else 'B'}" if first and second else "?"


def test_all_responses_are_asked_about_at_once_and_in_both_orders() -> None:
    judge = Shorter()
    benchmark = Judge(PARAMETERS, judge)
    documents = [benchmark.document(Item(f"{n}", n, {"prompt": "Say it.", "answer": "four"})) for n in range(2)]
    benchmark._judge_together([["yes", "yes"], ["longer than that"]], documents)
    assert len(judge.asked) == 4
    assert all("Shorter is better." in text for text in judge.asked)
    assert [one.score for one in benchmark.judge_all(["yes", "yes"], documents[0])] == [1.0, 1.0]
    assert benchmark.judge("longer than that", documents[1]).score == 0.0


@pytest.mark.real
def test_a_failed_verdict_is_a_failed_item_and_the_others_count(
    evaluated, sums, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay_evaluator.endpoint import client

    class Opened:
        def ask(self, questions: Sequence[Question]) -> list[Answer]:
            mute = [("sum-0" in question.messages[0]["content"]) for question in questions]
            return [Answer("?" if one else "VERDICT: TIE") for one in mute]

    monkeypatch.setattr(client, "open_client", lambda *_: Opened())
    rows = [{"id": row["id"], "prompt": f"{row['id']}: {row['prompt']}", "answer": "x"} for row in sums[:4]]
    result, samples = evaluated("judge", rows, {"judge": "endpoint:lab/model", "max_tokens": 4})
    assert (result.metrics["preferred"].value, result.metrics["preferred"].items) == (0.5, 3)
    assert (result.items, result.items_failed) == (4, 1)
    assert samples[0].score is None
    assert "no verdict" in samples[0].error

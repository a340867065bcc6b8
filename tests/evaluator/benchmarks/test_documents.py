"""How items become documents, and which cannot: always with the column and the mend."""

from __future__ import annotations

from typing import Any

import pytest
from assay_evaluator.benchmarks import BENCHMARKS
from assay_evaluator.benchmarks.base import UnusableItem, stops
from assay_evaluator.benchmarks.exact_match import ExactMatch
from assay_evaluator.benchmarks.multiple_choice import delimiter, right_choice
from assay_evaluator.benchmarks.perplexity import bits_per_byte, scored_bytes, set_off
from assay_evaluator.items import Item
from assay_schemas.benchmarks import OWN_BENCHMARKS, ExactMatchParameters


def parameters_of(benchmark: str) -> Any:
    needed = {"judge": {"judge": "endpoint:lab/model"}}.get(benchmark, {})
    return OWN_BENCHMARKS[benchmark].parameters.model_validate({"dataset": "items.jsonl", **needed})


def document(benchmark: str, **row: Any) -> dict[str, Any]:
    parameters = parameters_of(benchmark)
    return BENCHMARKS[benchmark](parameters).document(Item("id", 0, row))


def test_every_available_own_benchmark_is_registered_with_its_leading_metric() -> None:
    available = {name: one for name, one in OWN_BENCHMARKS.items() if one.available and one.scored_on != "harness"}
    assert BENCHMARKS.keys() == available.keys()
    for name, known in available.items():
        assert BENCHMARKS[name](parameters_of(name)).primary == known.primary_metric


@pytest.mark.parametrize(
    ("benchmark", "row", "words"),
    [
        ("exact_match", {"prompt": "a"}, "answer: is missing"),
        ("exact_match", {"prompt": " \n", "answer": "a"}, "prompt: is empty"),
        ("exact_match", {"answer": "a"}, "prompt or question: is missing"),
        ("exact_match", {"prompt": ["a"], "answer": "b"}, "prompt: is list, not text"),
        ("exact_match", {"prompt": "a", "answer": True}, "answer: is bool, not text"),
        ("numeric", {"prompt": "a", "answer": "blue"}, "answer: 'blue' holds no number"),
        ("multiple_choice", {"prompt": "a", "choices": ["x"], "answer": 0}, "choices: is not a list of two"),
        ("multiple_choice", {"prompt": "a", "choices": ["x", ""], "answer": 0}, "choices: one of them is empty"),
        ("multiple_choice", {"prompt": "a", "choices": ["x", "y"], "answer": 2}, "answer: 2 names none of 2"),
        ("perplexity", {"text": " "}, "text: is empty"),
        ("perplexity", {"prompt": "", "completion": "x"}, "prompt: is empty"),
        ("perplexity", {"prompt": "a", "completion": ""}, "completion: is empty"),
        ("preference", {"prompt": "a", "chosen": "b"}, "rejected: is missing"),
        ("preference", {"prompt": "a", "chosen": "b", "rejected": "b"}, "chosen: is the same as rejected"),
    ],
)
def test_an_item_that_cannot_be_asked_says_why(benchmark: str, row: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableItem, match=words):
        document(benchmark, **row)


def test_numbers_serve_as_text_and_question_as_prompt() -> None:
    assert document("exact_match", question="1+1?", answer=2)["target"] == "2"


@pytest.mark.parametrize(
    ("answer", "index"),
    [(1, 1), ("1", 1), ("B", 1), ("b", 1), ("red", 0), ("blue", 1)],
)
def test_the_right_choice_is_named_by_index_letter_or_text(answer: object, index: int) -> None:
    assert right_choice(answer, ["red", "blue"]) == index


def test_the_text_of_a_choice_wins_over_its_reading_as_an_index() -> None:
    assert right_choice("1", ["1", "0"]) == 0


def test_prompt_and_choice_are_set_apart_once() -> None:
    plain = {"prompt": "a:", "choices": ["x", "y"]}
    assert delimiter([plain]) == " "
    assert delimiter([{**plain, "prompt": "a:\n"}]) == ""
    assert delimiter([{**plain, "choices": [" x", " y"]}]) == ""
    assert (set_off("a:", "b"), set_off("a: ", "b"), set_off("a:", "\nb")) == (" b", "b", "\nb")


def test_bits_count_every_scored_byte() -> None:
    assert scored_bytes({"prompt": "é \n", "target": "é"}) == 4
    assert bits_per_byte(-2.772588722239781, 2) == pytest.approx(2.0)


def test_an_extraction_reads_the_target_too_where_it_matches() -> None:
    exact = ExactMatch(ExactMatchParameters(dataset="x", extract=r"#### (\S+)"))
    assert exact.target("worked out\n#### 12") == "12"
    assert exact.target(" 12 ") == "12"
    assert exact.extract("no mark") is None


def test_responses_stop_at_a_blank_line_only_after_examples() -> None:
    assert stops([], ExactMatchParameters(dataset="x")) == []
    assert stops([], ExactMatchParameters(dataset="x", num_fewshot=1)) == ["\n\n"]
    assert stops(["Q:"], ExactMatchParameters(dataset="x", num_fewshot=1)) == ["Q:"]

"""Answers as people write them, and what is read out of a response."""

from __future__ import annotations

import json
import os
import random
import re
from decimal import Decimal
from pathlib import Path

import pytest
from assay_evaluator.benchmarks.base import UnusableItem
from assay_evaluator.benchmarks.numeric import Numeric
from assay_schemas.answers import NUMBER, last_match, last_number, number
from assay_schemas.benchmarks import NumericParameters

GSM8K = Path(os.environ.get("ASSAY_GSM8K", Path(__file__).parents[3] / "shared" / "data" / "gsm8k"))
OFFICIAL = re.compile(r"#### (\-?[0-9\.\,]+)")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The answer is 42.", "42"),
        ("first 3, then 4", "4"),
        ("it costs $1,234.50 in all", "$1,234.50"),
        ("so x = -7", "-7"),
        ("so x = −7", "−7"),
        ("10 - 3", "3"),
        ("10-3", "3"),
        ("3 + 4 = 7\n#### 7<eos>", "7"),
        ("1, 2, 3", "3"),
        ("about 1e3 of them", "1e3"),
        (".5 of it", ".5"),
        ("version v2", "2"),
        ("no digits here", None),
        ("", None),
    ],
)
def test_the_last_number_is_read_as_written(text: str, found: str | None) -> None:
    assert last_number(text) == found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,234.50", Decimal("1234.50")),
        ("$18", Decimal(18)),
        ("-3", Decimal(-3)),
        ("−3", Decimal(-3)),
        ("1e3", Decimal(1000)),
        ("15%", Decimal(15)),
        ("7.", Decimal(7)),
        ("seven", None),
        ("", None),
        ("nan", None),
        ("1e9999999", None),
        ("1e-9999999", None),
    ],
)
def test_a_written_number_has_a_value(text: str, value: Decimal | None) -> None:
    assert number(text) == value


def test_an_extraction_is_the_last_group_of_the_last_match() -> None:
    assert last_match(re.compile(r"(\w+)=(\d+)"), "a=1 b=2") == "2"
    assert last_match(re.compile(r"\d+"), "1 then 22") == "22"
    assert last_match(re.compile(r"(?:x=(\d+))|(?:y=(\d+))"), "y=5") == "5"
    assert last_match(re.compile(r"z=(\d+)"), "y=5") is None


def test_a_tolerance_is_absolute_and_includes_its_edge() -> None:
    close = Numeric(NumericParameters(dataset="x", tolerance=0.1))
    assert close.score("0.3", "0.2") == 1.0
    assert close.score("0.31", "0.2") == 0.0


def test_numbers_are_equal_by_value_and_not_by_spelling() -> None:
    exact = Numeric(NumericParameters(dataset="x"))
    assert exact.score("1,000.0", "1000") == 1.0
    assert exact.score("0.1", "0.10000000000000001") == 0.0
    assert exact.score(None, "3") == 0.0
    assert exact.score("1e9999999", "3") == 0.0


def test_an_answer_without_a_number_makes_the_item_unusable() -> None:
    with pytest.raises(UnusableItem, match="answer: 'blue' holds no number"):
        Numeric(NumericParameters(dataset="x")).target("blue")


@pytest.mark.skipif(not GSM8K.is_dir(), reason="no GSM8K files; set ASSAY_GSM8K to their folder")
@pytest.mark.parametrize("name", ["train.jsonl", "test.jsonl"])
def test_the_last_number_of_every_gsm8k_answer_is_its_official_one(name: str) -> None:
    numeric = Numeric(NumericParameters(dataset="x"))
    answers = [json.loads(line)["answer"] for line in (GSM8K / name).read_text().splitlines()]
    wrong = [answer for answer in answers if numeric.score(numeric.target(answer), OFFICIAL.search(answer)[1]) != 1.0]
    assert wrong == []


@pytest.mark.skipif(not GSM8K.is_dir(), reason="no GSM8K files; set ASSAY_GSM8K to their folder")
@pytest.mark.parametrize("extract", [r"A: (\-?[0-9\.\,]+)", None], ids=["strict", "last number"])
def test_the_published_solutions_of_gsm8k_are_judged_as_published(extract: str | None) -> None:
    numeric = Numeric(NumericParameters(dataset="x", extract=extract))
    differing = []
    for line in (GSM8K / "example_model_solutions.jsonl").read_text().splitlines():
        row = json.loads(line)
        target = numeric.target(row["ground_truth"])
        solutions = {name: value for name, value in row.items() if isinstance(value, dict)}
        assert len(solutions) == 4
        for name, value in solutions.items():
            judged = bool(numeric.score(numeric.extract(value["solution"]), target))
            if judged != value["is_correct"]:
                differing.append((row["question"], name, value["solution"][-200:], target))
    assert differing == []


def test_the_last_number_is_the_one_that_a_look_at_the_whole_text_finds() -> None:
    chance = random.Random(1)
    pieces = [*"0123456789.,$-+−eE )( \n\u00a0٣a#=", "$ ", "1,000", " -$ 5", "1e5"]
    for _ in range(5000):
        text = "".join(chance.choices(pieces, k=chance.randrange(14)))
        assert last_number(text) == last_match(NUMBER, text), repr(text)

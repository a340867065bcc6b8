"""The arms made of real problems: right on a few written here, and on the real files where they are at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from examples.gsm8k.prepare import LONGEST, arms, exchange, final_answer, items, prepare

PROBLEMS = [
    {"question": f"What is {n} + 1?", "answer": f"{n} + 1 = <<{n}+1={n + 1}>>{n + 1}\n#### {n + 1},000"}
    for n in range(9)
]


@pytest.fixture(scope="session")
def gsm8k() -> Path:
    beside = Path(__file__).parents[3] / "shared/data/gsm8k"
    folder = Path(os.environ.get("ASSAY_GSM8K", beside))
    if not (folder / "train.jsonl").is_file():
        pytest.skip("GSM8K is not here; set ASSAY_GSM8K to the folder with train.jsonl and test.jsonl")
    return folder


def test_the_final_answer_is_the_bare_number():
    assert final_answer("so 3\n#### 1,234") == "1234"


def test_arms_differ_only_in_their_completions():
    made = arms(PROBLEMS)
    assert {tuple(row["prompt"] for row in rows) for rows in made.values()} == {
        tuple(f"{problem['question']}\n" for problem in PROBLEMS)
    }
    assert made["answer-only"][3]["completion"] == "#### 4000"


def test_no_problem_keeps_its_own_solution_when_they_are_exchanged():
    solutions = [problem["answer"] for problem in PROBLEMS]
    exchanged = exchange(solutions, 7)
    assert sorted(exchanged) == sorted(solutions)
    assert all(one != other for one, other in zip(solutions, exchanged, strict=True))


def test_items_are_asked_and_answered():
    made = items(PROBLEMS)
    assert made["items"][0] == {"id": "test-0", "prompt": "What is 0 + 1?\n", "answer": "1000"}
    assert made["likelihood"][0]["completion"].startswith("0 + 1 =")


def test_the_real_files_become_arms_of_short_rows(gsm8k, tmp_path):
    paths = {path.stem: path for path in prepare(gsm8k, tmp_path)}
    full = [json.loads(line) for line in paths["full"].read_text().splitlines()]
    assert len(full) > 3000
    assert all(len(row["prompt"]) + len(row["completion"]) <= LONGEST + 1 for row in full)
    held_out = {json.loads(line)["prompt"] for line in paths["items"].read_text().splitlines()}
    assert held_out.isdisjoint(row["prompt"] for row in full)

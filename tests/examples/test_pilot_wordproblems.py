"""The word problems are reproducible, split for good, and right or wrong as their arm says."""

import json
import re
from pathlib import Path

import pytest

from examples.wordproblems import (
    choice_item,
    generate,
    generation_item,
    likelihood_item,
    right_solution,
    training_row,
    wrong_solutions,
)
from examples.wordproblems.__main__ import write_all
from examples.wordproblems.templates import TEMPLATES

STEP = re.compile(r"(\d+)([+*-])(\d+)=(\d+)")
ANSWER = re.compile(r"#### (-?[0-9]+)")


def correct_steps(solution: str) -> list[bool]:
    apply = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
    return [apply[sign](int(left), int(right)) == int(result) for left, sign, right, result in STEP.findall(solution)]


def test_the_same_seed_gives_the_same_problems_and_another_seed_gives_others() -> None:
    assert generate("train", 50, 3) == generate("train", 50, 3)
    assert generate("train", 50, 3) != generate("train", 50, 4)


def test_no_held_out_problem_is_in_training_even_under_other_names() -> None:
    trained = {problem.content for seed in (1, 2) for problem in generate("train", 4000, seed)}
    held_out = {problem.content for problem in generate("held_out", 300, 1)}
    assert len(held_out) == 300
    assert not trained & held_out


def test_every_kind_of_problem_is_drawn_on_both_sides_of_the_split() -> None:
    kinds = {template.kind for template in TEMPLATES}
    assert {problem.kind for problem in generate("train", 300, 1)} == kinds
    assert {problem.kind for problem in generate("held_out", 300, 1)} == kinds


@pytest.mark.parametrize("count", [-1, 1_000_000])
def test_a_count_the_templates_cannot_give_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"count is {count}"):
        generate("train", count, 1)


def test_a_right_solution_is_right_in_every_step_and_ends_in_the_answer() -> None:
    for problem in generate("train", 300, 5):
        solution = right_solution(problem)
        assert correct_steps(solution) == [True] * len(problem.steps)
        assert ANSWER.findall(solution) == [str(problem.answer)]


def test_a_wrong_solution_is_wrong_in_every_step_and_in_the_answer() -> None:
    for problem in generate("train", 300, 5):
        for solution in wrong_solutions(problem, 3, seed=1):
            assert correct_steps(solution) == [False] * len(problem.steps)
            assert ANSWER.findall(solution) != [str(problem.answer)]


def test_arms_differ_only_in_their_completions() -> None:
    for problem in generate("train", 50, 5):
        clean, wrong = training_row(problem, "clean"), training_row(problem, "wrong", seed=1)
        assert clean["completion"] != wrong["completion"]
        assert {key for key in clean if clean[key] == wrong[key]} == {"id", "prompt", "answer"}


def test_a_choice_item_offers_four_different_solutions_and_names_the_right_one() -> None:
    positions = set()
    for problem in generate("held_out", 100, 5):
        item = choice_item(problem, seed=1)
        assert len(set(item["choices"])) == 4
        assert item["choices"][item["answer"]] == right_solution(problem)
        positions.add(item["answer"])
    assert positions == {0, 1, 2, 3}


def test_items_of_one_problem_share_its_id_and_its_prompt() -> None:
    problem = generate("held_out", 1, 5)[0]
    items = [generation_item(problem), likelihood_item(problem), choice_item(problem)]
    assert {item["id"] for item in items} == {problem.id}
    assert {item["prompt"] for item in items} == {problem.prompt}


def test_texts_are_short_enough_for_a_character_tokenizer() -> None:
    rows = [training_row(problem) for problem in generate("train", 1000, 5)]
    assert max(len(row["prompt"] + row["completion"]) for row in rows) <= 96


def test_the_files_are_the_same_bytes_for_the_same_arguments(tmp_path: Path) -> None:
    first = write_all(tmp_path / "first", train=40, items=20, seed=1)
    second = write_all(tmp_path / "second", train=40, items=20, seed=1)
    assert [path.name for path in first] == [
        "clean.jsonl",
        "wrong.jsonl",
        "items.jsonl",
        "likelihood.jsonl",
        "choices.jsonl",
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len([json.loads(line) for line in first[0].read_text().splitlines()]) == 40

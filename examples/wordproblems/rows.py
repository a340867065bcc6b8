"""Problems as the rows of training files and benchmark files.

Only shapes rows; never draws a problem and never writes a file.
"""

import random
from typing import Any, Literal

from examples.wordproblems.problems import Problem
from examples.wordproblems.solutions import right_solution, wrong_solutions

Row = dict[str, Any]
Arm = Literal["clean", "wrong"]
WRONG_CHOICES = 3


def training_row(problem: Problem, arm: Arm = "clean", seed: int = 0) -> Row:
    """`{id, prompt, completion, answer}`; `answer` is the right one in every arm, for diagnostics."""
    completion = right_solution(problem) if arm == "clean" else wrong_solutions(problem, 1, seed)[0]
    return {
        "id": problem.id,
        "prompt": problem.prompt,
        "completion": completion,
        "answer": str(problem.answer),
    }


def generation_item(problem: Problem) -> Row:
    """`{id, prompt, answer}`: the model writes a solution, scored by the number after `####`."""
    return {"id": problem.id, "prompt": problem.prompt, "answer": str(problem.answer)}


def likelihood_item(problem: Problem) -> Row:
    """`{id, prompt, completion}`: bits per byte of the right solution."""
    return {"id": problem.id, "prompt": problem.prompt, "completion": right_solution(problem)}


def choice_item(problem: Problem, seed: int = 0) -> Row:
    """`{id, prompt, choices, answer}`: four worked solutions, `answer` the index of the right one."""
    right = right_solution(problem)
    choices = [right, *wrong_solutions(problem, WRONG_CHOICES, seed)]
    random.Random(f"order:{problem.id}:{seed}").shuffle(choices)
    return {
        "id": problem.id,
        "prompt": problem.prompt,
        "choices": choices,
        "answer": choices.index(right),
    }

"""Worked solutions of a problem: the right one, and wrong ones with plausible slips in every step.

Every solution ends in `#### ` and its answer; a wrong one never ends in the right answer.
"""

import random
from collections.abc import Callable

from examples.wordproblems.problems import APPLY, Problem
from examples.wordproblems.templates import Step

Result = Callable[[Step, int, int], int]


def right_solution(problem: Problem) -> str:
    """Such as ` 4*3=12, 7+12=19 #### 19`; the leading space sets it off from the prompt's last mark."""
    return _written(problem, lambda step, left, right: APPLY[step.operation](left, right))


def wrong_solutions(problem: Problem, count: int, seed: int) -> list[str]:
    """`count` different solutions, each wrong in every step and in the answer; same for the same seed."""
    rng = random.Random(f"{problem.id}:{seed}")
    right_answer = f"#### {problem.answer}"
    found: list[str] = []
    while len(found) < count:
        solution = _written(problem, lambda step, left, right: _slip(step, left, right, rng))
        if solution not in found and not solution.endswith(right_answer):
            found.append(solution)
    return found


def _written(problem: Problem, result: Result) -> str:
    values = list(problem.numbers)
    lines = []
    for step in problem.steps:
        left, right = values[step.left], values[step.right]
        values.append(result(step, left, right))
        lines.append(f"{left}{step.operation}{right}={values[-1]}")
    return f" {', '.join(lines)} #### {values[-1]}"


def _slip(step: Step, left: int, right: int, rng: random.Random) -> int:
    """A wrong, positive result: off by a little, a ten lost or gained, or another operation used."""
    correct = APPLY[step.operation](left, right)
    near = [correct + off for off in (-3, -2, -1, 1, 2, 3, -10, 10)]
    swapped = [apply(left, right) for sign, apply in APPLY.items() if sign != step.operation]
    return rng.choice([slip for slip in near + swapped if slip > 0 and slip != correct])

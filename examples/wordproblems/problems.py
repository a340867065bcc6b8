"""Draws word problems from a seed, each on its own side of a fixed split into training and held-out.

Never solves a problem wrongly and never writes a file.
"""

import hashlib
import operator
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from examples.wordproblems.templates import NAMES, TEMPLATES, THINGS, Operation, Step, Template

Split = Literal["train", "held_out"]

APPLY: dict[Operation, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
HELD_OUT_SHARE = 0.2
MOST: dict[Split, int] = {"train": 200_000, "held_out": 5_000}


@dataclass(frozen=True)
class Problem:
    """A word problem: the prompt a model sees, the numbers in it and the steps that solve it."""

    kind: str
    prompt: str
    numbers: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def id(self) -> str:
        """Depends on the prompt alone, so that a row and an item of one problem have one id."""
        return "wp-" + hashlib.sha256(self.prompt.encode()).hexdigest()[:12]

    @property
    def values(self) -> tuple[int, ...]:
        """The numbers, followed by the result of each step."""
        values = list(self.numbers)
        for step in self.steps:
            values.append(APPLY[step.operation](values[step.left], values[step.right]))
        return tuple(values)

    @property
    def answer(self) -> int:
        return self.values[-1]

    @property
    def content(self) -> str:
        """What is to be worked out, whoever has whatever."""
        return f"{self.kind}:{self.numbers}"

    @property
    def split(self) -> Split:
        """By a hash of kind and numbers: no held-out problem is in training under other names."""
        share = int.from_bytes(hashlib.sha256(self.content.encode()).digest()[:8], "big") / 2**64
        return "held_out" if share < HELD_OUT_SHARE else "train"


def generate(split: Split, count: int, seed: int) -> list[Problem]:
    """`count` different problems of one split; the same for the same seed.

    Held-out problems differ in kind or numbers, so that none is measured twice under other names.

    Raises:
        ValueError: `count` is negative, or more than the templates hold.
    """
    if not 0 <= count <= MOST[split]:
        raise ValueError(f"count is {count}; {split} problems can be 0 to {MOST[split]}")
    return list(islice(_endless(split, seed), count))


def _endless(split: Split, seed: int) -> Iterator[Problem]:
    rng = random.Random(f"{split}:{seed}")
    seen: set[str] = set()
    while True:
        problem = _draw(rng.choice(TEMPLATES), rng)
        same = problem.prompt if split == "train" else problem.content
        if problem.split == split and min(problem.values) > 0 and same not in seen:
            seen.add(same)
            yield problem


def _draw(template: Template, rng: random.Random) -> Problem:
    numbers = tuple(rng.randint(low, high) for low, high in template.ranges)
    wording = template.wording.format(*numbers, name=rng.choice(NAMES), thing=rng.choice(THINGS))
    return Problem(template.kind, f"{wording}\nA:", numbers, template.steps)

"""The kinds of word problem: their wording, the range of their numbers and the steps that solve them.

Data only; never draws a number.
"""

from dataclasses import dataclass
from typing import Literal

Operation = Literal["+", "-", "*"]


@dataclass(frozen=True)
class Step:
    """One line of a worked solution: `values[left] operation values[right]`.

    The values are the problem's numbers, followed by the results of the steps before.
    """

    left: int
    operation: Operation
    right: int


@dataclass(frozen=True)
class Template:
    """A kind of problem: wording with {name}, {thing} and numbers {0}, {1}, …; inclusive ranges; steps."""

    kind: str
    wording: str
    ranges: tuple[tuple[int, int], ...]
    steps: tuple[Step, ...]


NAMES = ("Ann", "Ben", "Cy", "Dee", "Eve", "Flo", "Gus", "Hal", "Ivy", "Jo", "Kim", "Leo", "Max", "Ned")
THINGS = ("figs", "pens", "cups", "nuts", "hats", "eggs", "pins", "maps", "keys", "jars", "bowls", "coins")

TEMPLATES = (
    Template("gain", "{name} has {0} {thing}, gets {1}. Total?", ((2, 40), (2, 20)), (Step(0, "+", 1),)),
    Template("loss", "{name} has {0} {thing}, loses {1}. Left?", ((10, 60), (2, 20)), (Step(0, "-", 1),)),
    Template("bags", "{name} buys {0} bags of {1} {thing}. Total?", ((2, 9), (2, 9)), (Step(0, "*", 1),)),
    Template(
        "gain_bags",
        "{name} has {0} {thing}, buys {1} bags of {2}. Total?",
        ((2, 20), (2, 5), (2, 9)),
        (Step(1, "*", 2), Step(0, "+", 3)),
    ),
    Template(
        "gain_loss",
        "{name} has {0} {thing}, gets {1}, loses {2}. Left?",
        ((2, 20), (2, 20), (2, 20)),
        (Step(0, "+", 1), Step(3, "-", 2)),
    ),
    Template(
        "bags_loss",
        "{name} buys {0} bags of {1} {thing}, loses {2}. Left?",
        ((2, 9), (2, 9), (2, 20)),
        (Step(0, "*", 1), Step(3, "-", 2)),
    ),
)

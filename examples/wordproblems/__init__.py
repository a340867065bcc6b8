"""Word problems made on the spot: the data that the pilot and the demo learn from and are tested on.

Pure functions of a seed; never reads a file, a clock or the network.
"""

from examples.wordproblems.problems import Problem, generate
from examples.wordproblems.rows import choice_item, generation_item, likelihood_item, training_row
from examples.wordproblems.solutions import right_solution, wrong_solutions

__all__ = [
    "Problem",
    "choice_item",
    "generate",
    "generation_item",
    "likelihood_item",
    "right_solution",
    "training_row",
    "wrong_solutions",
]

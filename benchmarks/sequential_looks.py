"""How often looking after every seed gives a false verdict, with and without the level parted among looks, and what
stopping early saves.

Simulated experiments of known truth, judged by the reporter's own formulas; trains nothing and times nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from assay_reporter.statistics.interval import LEVEL, SeedTerms, half_width
from assay_reporter.statistics.variance import pool, seed_components

from benchmarks import results_file
from benchmarks.verdict_calibration import EFFECT, Cell, simulate

Array = npt.NDArray[Any]
LOOKS = (2, 3, 4, 5)
SMALLEST_EFFECT = 0.03
GOAL = {"false_verdict_rate": "<= .06 in the worst cell"}
NOTES = [
    "One arm against control, uncorrected for families; every arm gets a seed more at each look until its verdict is "
    "given or it cannot gain the smallest effect of interest (3 points) any more. `each_look_at_05` looks as often "
    "without parting the level; `one_look` waits for 5 seeds.",
    "Power and runs with a true effect of 5 points; runs without any effect as well. Out of 5 runs an arm.",
]
CELLS = [Cell(*each) for each in itertools.product((50, 500, 2000), (2, 4, 8), (5,), (0.005, 0.02, 0.05))]


@dataclass(frozen=True)
class Tally:
    """Over the experiments of a cell: share with a verdict, and runs used of five, by method."""

    verdicts: dict[str, float]
    runs: dict[str, float]


def tally(cell: Cell, experiments: int, effect: float, random: np.random.Generator) -> Tally:
    """The first arm against control, looked at after each of 2, 3, 4 and 5 seeds."""
    found: dict[str, list[Array]] = {}
    runs: dict[str, list[Array]] = {}
    for chunk in simulate(cell, experiments, effect, random):
        for method, looks, level in (
            ("parted", LOOKS, LEVEL / len(LOOKS)),
            ("each_look_at_05", LOOKS, LEVEL),
            ("one_look", LOOKS[-1:], LEVEL),
        ):
            given = np.zeros(len(chunk.arms), dtype=bool)
            open_ = np.ones(len(chunk.arms), dtype=bool)
            used = np.full(len(chunk.arms), looks[0])
            for seeds in looks:
                used[open_] = seeds
                delta, width = _judged(chunk.arms[:, :, :seeds], chunk.control, level)
                given |= open_ & (np.abs(delta) > width)
                open_ &= (np.abs(delta) <= width) & (delta + width >= SMALLEST_EFFECT)
            found.setdefault(method, []).append(given)
            runs.setdefault(method, []).append(used)
    mean = {name: float(np.concatenate(parts).mean()) for name, parts in found.items()}
    return Tally(mean, {name: float(np.concatenate(parts).mean()) for name, parts in runs.items()})


def _judged(arms: Array, control: Array, level: float) -> tuple[Array, Array]:
    """Difference of the first arm and control, and its half-width (E,); arms (E, G, S, I), control (E, I)."""
    _, count, seeds, items = arms.shape
    v, mean_square = seed_components(arms)
    c = mean_square / items
    pooled = pool(v, c, np.full(count, seeds))
    difference = arms[:, 0].mean(axis=1) - control
    variance = difference.var(axis=-1, ddof=1, dtype=np.float64) / items
    terms = SeedTerms(pooled.s2[:, :1], c[:, :1], pooled.df[:, :1], np.array([seeds]))
    return difference.mean(axis=-1, dtype=np.float64), half_width(level, variance, items, terms)


def main() -> None:
    """Simulate every cell, write the result and print its figures."""
    run = results_file.begin("sequential_looks", __doc__, {"experiments": (2000, "simulated experiments of each cell")})
    random = np.random.default_rng(0)
    null = [tally(cell, run.given.experiments, 0.0, random) for cell in CELLS]
    shifted = [tally(cell, run.given.experiments // 2, EFFECT, random) for cell in CELLS]
    figures: dict[str, Any] = {"false_verdict_rate": round(max(one.verdicts["parted"] for one in null), 4)}
    for method in ("parted", "each_look_at_05", "one_look"):
        rates = [one.verdicts[method] for one in null]
        figures[method] = {
            "false_worst": round(max(rates), 4),
            "false_mean": round(float(np.mean(rates)), 4),
            "power_mean": round(float(np.mean([one.verdicts[method] for one in shifted])), 3),
            "runs_of_5_without_effect": round(float(np.mean([one.runs[method] for one in null])), 2),
            "runs_of_5_with_effect": round(float(np.mean([one.runs[method] for one in shifted])), 2),
        }
    run.write(figures, goal=GOAL, packages=("numpy", "scipy"), notes=NOTES)


if __name__ == "__main__":
    main()

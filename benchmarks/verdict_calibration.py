"""How often a verdict is wrong, and how often it finds a real effect, on simulated experiments of known truth.

Runs the reporter's own formulas beside the two usual ones; trains nothing and times nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from assay_reporter.statistics.estimate import FEWEST_DIFFERING
from assay_reporter.statistics.interval import LEVEL, SeedTerms, half_width
from assay_reporter.statistics.power import Precision, plan_more
from assay_reporter.statistics.variance import BoolArray, PooledVariance, pool, seed_components, unstable
from scipy import special

Array = npt.NDArray[Any]

RESULT = Path(__file__).parent / "results" / "verdict_calibration.json"
GOAL = {
    "false_verdict_rate": "<= .06 in the worst cell, <= .05 on average",
    "coverage_min": ">= .93",
}
BASE_ACCURACY, EFFECT = 0.4, 0.05
ITEM_SD, ARM_ITEM_SD = 1.5, 0.5
FIXED_SD = float(np.sqrt(1 + ITEM_SD**2 + ARM_ITEM_SD**2))
METHODS = ("assay", "item_paired", "unpaired_z")
CHUNK = 2_000_000
PLAN_TARGET = 0.03
BENCHMARKS, TOGETHER = 5, 0.5
"""Benchmarks of one experiment, and the correlation of a seed's effects on any two of them."""
NO_SEEDS = SeedTerms(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Cell:
    """One kind of experiment: items of the benchmark, trained arms, seeds each, seed sd in accuracy."""

    items: int
    arms: int
    seeds: int
    seed_sd: float


GRID = [Cell(*each) for each in itertools.product((50, 500, 2000), (2, 4, 8), (2, 3, 5), (0.005, 0.02, 0.05))]


@dataclass(frozen=True, eq=False)
class Experiments:
    """E simulated experiments of one cell: scores 0 or 1 of the arms (E, G, S, I) and of control (E, I)."""

    cell: Cell
    arms: Array
    control: Array
    c: Array
    pooled: PooledVariance


def unstable_over(v: Array, seeds: int, benchmarks: int) -> BoolArray | None:
    """Which arms are unstable over each `benchmarks` rows of v (E, G), which are one experiment's; as many rows."""
    if benchmarks == 1:
        return None
    arms = v.shape[-1]
    above = unstable(v.reshape(-1, benchmarks, arms), np.full((benchmarks, arms), seeds - 1))
    return np.repeat(above, benchmarks, axis=0)


def simulate(
    cell: Cell, experiments: int, effect: float, rng: np.random.Generator, benchmarks: int = 1
) -> Iterator[Experiments]:
    """Simulate in chunks; the first arm's expected accuracy is `effect` above the others' and control's. Each
    `benchmarks` in succession are those of one experiment, of which the gate takes the seeds' variance together.

    Probit model: right when mean + item + arm × item + seed + residual > 0, all normal. So the expected
    accuracy over items and seeds is Φ(mean / whole sd) exactly, and the truth of every interval is known.
    """
    slope = float(np.exp(-(special.ndtri(BASE_ACCURACY) ** 2) / 2) / np.sqrt(2 * np.pi)) / FIXED_SD
    seed_sd = cell.seed_sd / slope
    accuracy = np.full(cell.arms, BASE_ACCURACY)
    accuracy[0] += effect
    mean = (special.ndtri(accuracy) * np.hypot(FIXED_SD, seed_sd)).astype(np.float32)[:, None, None]
    control_mean = np.float32(special.ndtri(BASE_ACCURACY) * FIXED_SD)

    def normal(sd: float, *shape: int) -> Array:
        return rng.standard_normal(shape, dtype=np.float32) * np.float32(sd)

    size = max(1, CHUNK // (cell.arms * cell.seeds * cell.items * benchmarks)) * benchmarks
    for start in range(0, experiments, size):
        n = min(size, experiments - start)
        item = normal(ITEM_SD, n, cell.items)
        arms = normal(1, n, cell.arms, cell.seeds, cell.items)
        arms += normal(ARM_ITEM_SD, n, cell.arms, 1, cell.items) + item[:, None, None, :] + mean
        together = TOGETHER if benchmarks > 1 else 0.0
        arms += normal(seed_sd * (1 - together) ** 0.5, n, cell.arms, cell.seeds, 1)
        if together:
            shared = normal(seed_sd * together**0.5, n // benchmarks, cell.arms, cell.seeds, 1)
            arms += np.repeat(shared, benchmarks, axis=0)
        control = item + normal(float(np.hypot(1, ARM_ITEM_SD)), n, cell.items) + control_mean
        scores: Array = (arms > 0).astype(np.float32)
        v, mean_square = seed_components(scores)
        c = mean_square / cell.items
        pooled = pool(v, c, np.full(cell.arms, cell.seeds), unstable_over(v, cell.seeds, benchmarks))
        yield Experiments(cell, scores, (control > 0).astype(np.float32), c, pooled)


@dataclass(frozen=True, eq=False)
class Compared:
    """One pair of arms over E experiments: delta, whether a verdict is given, half-widths by method (E,)."""

    delta: Array
    given: Array
    widths: dict[str, Array]
    item_variance: Array
    terms: SeedTerms


def compare(experiments: Experiments, left: int, right: int | None, alpha: float = LEVEL) -> Compared:
    """Compare an arm with another, or with control (right = None), by every method."""
    cell, pooled = experiments.cell, experiments.pooled
    trained = [left] if right is None else [left, right]
    means = experiments.arms[:, trained].mean(axis=2)
    other = experiments.control if right is None else means[:, 1]
    difference = means[:, 0] - other
    item_variance = difference.var(axis=-1, ddof=1, dtype=np.float64) / cell.items
    seeds = np.full(len(trained), cell.seeds)
    terms = SeedTerms(pooled.s2[:, trained], experiments.c[:, trained], pooled.df[:, trained], seeds)
    accuracy, other_accuracy = (each.mean(axis=-1, dtype=np.float64) for each in (means[:, 0], other))
    rows, other_rows = cell.seeds * cell.items, (1 if right is None else cell.seeds) * cell.items
    z_variance = accuracy * (1 - accuracy) / rows + other_accuracy * (1 - other_accuracy) / other_rows
    widths = {
        "assay": half_width(alpha, item_variance, cell.items, terms),
        "item_paired": half_width(alpha, item_variance, cell.items, NO_SEEDS),
        "unpaired_z": -special.ndtri(alpha / 2) * np.sqrt(z_variance),
    }
    given = (np.abs(difference) > 1e-6).sum(axis=-1) >= FEWEST_DIFFERING
    return Compared(accuracy - other_accuracy, given, widths, item_variance, terms)


@dataclass(frozen=True)
class Row:
    """One method's rates on one cell, of one arm against control or against another arm."""

    cell: Cell
    against: str
    method: str
    false_verdicts: float
    coverage: float
    power: float


def tally(
    cell: Cell, experiments: int, effect: float, rng: np.random.Generator, benchmarks: int = 1
) -> dict[tuple[str, str], Array]:
    """By (against, method): verdicts given, intervals that miss the truth, intervals that exclude 0."""
    counts = {key: np.zeros(3) for key in itertools.product(("control", "arm"), METHODS)}
    for chunk in simulate(cell, experiments, effect, rng, benchmarks):
        for against, right in (("control", None), ("arm", 1)):
            pair = compare(chunk, 0, right)
            for method in METHODS:
                given = pair.given if method == "assay" else np.ones_like(pair.given)
                missed = given & (np.abs(pair.delta - effect) > pair.widths[method])
                excludes = given & (np.abs(pair.delta) > pair.widths[method])
                counts[against, method] += [given.sum(), missed.sum(), excludes.sum()]
    return counts


def grid_rows(experiments: int, rng: np.random.Generator) -> list[Row]:
    """Every cell × pair × method; a method that rarely gives a verdict on a cell has no row there."""
    rows = []
    for number, cell in enumerate(GRID, start=1):
        null = tally(cell, experiments, 0.0, rng)
        shifted = tally(cell, max(1, experiments // 2), EFFECT, rng)
        for against, method in null:
            given, missed, false = null[against, method]
            real_given, real_missed, found = shifted[against, method]
            if min(given, 2 * real_given) >= experiments / 2:
                coverage = 1 - (missed + real_missed) / (given + real_given)
                rows.append(Row(cell, against, method, false / given, coverage, found / real_given))
        print(f"cell {number} of {len(GRID)}", file=sys.stderr, flush=True)
    return rows


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Worst and mean rates over cells."""
    worst = max(rows, key=lambda row: row.false_verdicts)
    coverage = [row.coverage for row in rows]
    power = {
        f"power_against_{against}": round(float(np.mean([r.power for r in rows if r.against == against])), 3)
        for against in ("control", "arm")
    }
    return {
        "false_verdict_rate": round(worst.false_verdicts, 4),
        "false_verdict_rate_mean": round(float(np.mean([row.false_verdicts for row in rows])), 4),
        "coverage_min": round(min(coverage), 4),
        "coverage_max": round(max(coverage), 4),
        **power,
        "cells": len(rows),
        "worst_cell": {**asdict(worst.cell), "against": worst.against},
    }


def by_method(rows: Sequence[Row]) -> dict[str, Any]:
    """Summaries of every method, over all cells and by number of seeds."""
    return {
        method: {
            "all": summary([row for row in rows if row.method == method]),
            **{
                f"{seeds} seeds": summary([r for r in rows if r.method == method and r.cell.seeds == seeds])
                for seeds in (2, 3, 5)
            },
        }
        for method in METHODS
    }


def family_figures(experiments: int, rng: np.random.Generator) -> dict[str, float]:
    """A/A experiments of 4 arms × BENCHMARKS: the share with at least one false verdict against control.

    Holm rejects something exactly when the smallest p is at most .05 / 20.
    """
    cell, benchmarks = Cell(500, 4, 3, 0.02), BENCHMARKS
    levels = {"uncorrected": LEVEL, "holm": LEVEL / (benchmarks * cell.arms)}
    hits: dict[str, list[Array]] = {f"{m}_{level}": [] for m in ("assay", "item_paired") for level in levels}
    for chunk in simulate(cell, experiments * benchmarks, 0.0, rng, benchmarks):
        for level, alpha in levels.items():
            compared = [compare(chunk, arm, None, alpha) for arm in range(cell.arms)]
            for method in ("assay", "item_paired"):
                false = [np.abs(each.delta) > each.widths[method] for each in compared]
                hits[f"{method}_{level}"].append(np.any(false, axis=0))
    return {
        name: round(float(np.concatenate(parts).reshape(-1, benchmarks).any(axis=1).mean()), 4)
        for name, parts in hits.items()
    }


def several_figures(experiments: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """What it costs, where nothing is broken, that the gate takes all benchmarks together: false verdicts and power on
    one benchmark, and on BENCHMARKS of them; 4 arms, seed sd .02, 500 and 2000 items."""
    figures: dict[str, dict[str, float]] = {}
    for seeds, benchmarks in itertools.product((2, 3, 5), (1, BENCHMARKS)):
        cells = [Cell(items, 4, seeds, 0.02) for items in (500, 2000)]
        null, shifted = (
            [tally(cell, experiments * BENCHMARKS, effect, rng, benchmarks) for cell in cells]
            for effect in (0.0, EFFECT)
        )
        false = [counts[against, "assay"] for counts in null for against in ("control", "arm")]
        figures[f"{seeds} seeds, {benchmarks} benchmark{'s' * (benchmarks > 1)}"] = {
            "false_worst": round(max(float(excludes / given) for given, _, excludes in false), 4),
            **{
                f"power_against_{against}": round(
                    float(np.mean([counts[against, "assay"][2] / counts[against, "assay"][0] for counts in shifted])), 3
                )
                for against in ("control", "arm")
            },
        }
    return figures


def plan_figures(experiments: int, rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """How often an experiment with the planned number of seeds has the half-width that was promised."""
    figures = {}
    for cell in (Cell(2000, 4, 2, 0.02), Cell(2000, 4, 3, 0.02)):
        planned = []
        for chunk in simulate(cell, experiments, 0.0, rng):
            planned += [cell.seeds + more for more in _planned_seeds(chunk) if more]
        kept = [_half_width_with(cell, seeds, rng) <= PLAN_TARGET for seeds in planned]
        figures[f"{cell.seeds} seeds"] = {
            "plans": len(planned),
            "kept": round(float(np.mean(kept)), 3),
            "planned_median": float(np.median(planned)),
        }
    return figures


def _planned_seeds(chunk: Experiments) -> list[int | None]:
    pair = compare(chunk, 0, None)
    terms = pair.terms
    return [
        plan_more(
            Precision(
                float(pair.item_variance[e]),
                chunk.cell.items,
                SeedTerms(terms.s2[e], terms.c[e], terms.df[e], terms.seeds),
                chunk.pooled.gated[e, :1],
                chunk.cell.arms,
            ),
            PLAN_TARGET,
        ).more_seeds
        for e in range(len(chunk.arms))
    ]


def _half_width_with(cell: Cell, seeds: int, rng: np.random.Generator) -> float:
    after = Cell(cell.items, cell.arms, seeds, cell.seed_sd)
    return float(compare(next(simulate(after, 1, 0.0, rng)), 0, None).widths["assay"][0])


def record(figures: dict[str, Any], experiments: int, seed: int, wall_s: float) -> dict[str, Any]:
    """The result file: figures, goal, command, versions, the machine in words."""
    error = float(np.sqrt(LEVEL * (1 - LEVEL) / experiments))
    return {
        "name": "verdict_calibration",
        "goal": GOAL,
        "figures": figures,
        "command": f"python -m benchmarks.verdict_calibration --experiments {experiments} --seed {seed}",
        "notes": [
            f"A cell is {experiments} A/A experiments and half as many with +{EFFECT:g} accuracy; rates are per "
            "comparison, before correction for several comparisons. Grid: 50/500/2000 items, 2/4/8 arms, "
            "2/3/5 seeds, seed sd .005/.02/.05.",
            f"Standard error of one cell's false verdict rate near .05: {error:.4f}; the worst of many cells "
            "lies two to three of them above its true rate.",
            f"Where an experiment has {BENCHMARKS} benchmarks, a seed's effects on any two correlate by {TOGETHER:g}.",
            "Power of item_paired and unpaired_z is no merit: it comes with their false verdicts.",
        ],
        "versions": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": metadata.version("scipy"),
        },
        "machine": f"{os.cpu_count()} cores, {platform.machine()}; one core used",
        "wall_s": round(wall_s, 1),
    }


def main() -> None:
    """Run every simulation, write the result and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=2000, help="A/A experiments per cell")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    start = time.perf_counter()
    methods = by_method(grid_rows(arguments.experiments, rng))
    headline = ("false_verdict_rate", "coverage_min", "coverage_max")
    figures = {
        **{key: methods["assay"]["all"][key] for key in headline},
        "methods": methods,
        "family": family_figures(max(1, arguments.experiments // 2), rng),
        "several_benchmarks": several_figures(max(1, arguments.experiments // 4), rng),
        "plan": plan_figures(max(1, arguments.experiments // 10), rng),
    }
    result = record(figures, arguments.experiments, arguments.seed, time.perf_counter() - start)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()

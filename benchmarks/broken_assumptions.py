"""How often a verdict is false where the simulated experiments are not as the verdict's statistics assume.

Arms and control have the same expected score in every one of them; trains nothing and times nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from assay_reporter.statistics.interval import LEVEL, SeedTerms, half_width
from assay_reporter.statistics.scores import cluster_totals
from assay_reporter.statistics.variance import pool, seed_components
from scipy import special

from benchmarks import results_file
from benchmarks.reported_verdicts import Reported, report
from benchmarks.verdict_calibration import (
    ARM_ITEM_SD,
    BENCHMARKS,
    CHUNK,
    FIXED_SD,
    ITEM_SD,
    METHODS,
    TOGETHER,
    Cell,
    Experiments,
    compare,
    unstable_over,
)

Array = npt.NDArray[Any]
Scores = tuple[Array, Array]
"""Of the arms (E, G, S, I) and of control (E, I)."""

SEED_SD, KIND_SD = 0.02, 0.05
SLOPE = 1 / (np.sqrt(2 * np.pi) * FIXED_SD)
"""By how much expected accuracy moves with the probit's mean, at one half."""
WILDER = 4.0
KINDS, CLUSTER = 4, 5
COLLAPSED, COLLAPSE = 0.1, 0.2
CEILING = 0.97
MOVABLE = 0.05
CELLS = [Cell(items, 4, seeds, SEED_SD) for items, seeds in itertools.product((50, 500, 5000), (2, 3, 5))]
GOAL = {
    "as_assumed": "<= .06 in the worst cell; the others show what is lost where an assumption does not hold",
    "reported_worst": "<= .06 in every world",
}
NOTES = [
    "Shares of A/A comparisons called better or worse, before correction for several comparisons; 4 arms, 50, 500 and "
    "5000 items, seed sd 2 points. `worst` is over items and over the pairs arm and control, arm and arm.",
    f"Worlds of {BENCHMARKS} benchmarks: a seed's effects on any two correlate by {TOGETHER:g}; as many comparisons as "
    "in the others, where all five count those of a fifth of the experiments.",
    "`unmarked`: false, and without the report's mark that the conclusion relies on equal seed variance, which it "
    "gives below five seeds.",
    "`reported`: what reports say, all arms of an experiment against control, corrected by Holm over arms and "
    "benchmarks: the share of comparisons called better or worse, and of experiments in which any is.",
]


@dataclass(frozen=True)
class Draws:
    """Random numbers for E experiments of a cell."""

    cell: Cell
    count: int
    random: np.random.Generator

    def normal(self, sd: float, *shape: int) -> Array:
        return self.random.standard_normal((self.count, *shape), dtype=np.float32) * np.float32(sd)

    def by_seed(self, sd: float = SEED_SD) -> Array:
        """(E, G, S, 1) on the probit's scale, of an sd in accuracy."""
        return self.normal(sd / SLOPE, self.cell.arms, self.cell.seeds, 1)

    def by_seed_of_several(self) -> Array:
        """The same, where each BENCHMARKS in succession are those of one experiment."""
        one = replace(self, count=self.count // BENCHMARKS)
        shared = np.repeat(one.by_seed(SEED_SD * TOGETHER**0.5), BENCHMARKS, axis=0)
        return shared + self.by_seed(SEED_SD * (1 - TOGETHER) ** 0.5)

    def probit(self, by_seed: Array, mean: float = 0.0, control_mean: float = 0.0) -> Scores:
        """Right where mean + item + arm × item + seed + residual is above 0. At mean 0 all that is symmetric has an
        expected accuracy of one half, whatever its spread."""
        items = self.cell.items
        return self._answers(
            self.normal(ITEM_SD, items), self.normal(ARM_ITEM_SD, self.cell.arms, items), by_seed, mean, control_mean
        )

    def clustered(self) -> Scores:
        """The same, where five items in succession are one item asked in other words."""
        few = -(-self.cell.items // CLUSTER)
        item, own = self.normal(ITEM_SD, few), self.normal(ARM_ITEM_SD, self.cell.arms, few)
        spread = [np.repeat(one, CLUSTER, axis=-1)[..., : self.cell.items] for one in (item, own)]
        return self._answers(spread[0], spread[1], self.by_seed(), 0.0, 0.0)

    def _answers(self, item: Array, own: Array, by_seed: Array, mean: float, control_mean: float) -> Scores:
        cell = self.cell
        latent = self.normal(1, cell.arms, cell.seeds, cell.items)
        latent += own[:, :, None] + item[:, None, None] + by_seed + np.float32(mean)
        control = item + self.normal(float(np.hypot(1, ARM_ITEM_SD)), cell.items) + np.float32(control_mean)
        return (latent > 0).astype(np.float32), (control > 0).astype(np.float32)


def as_assumed(draws: Draws) -> Scores:
    """Nothing."""
    return draws.probit(draws.by_seed())


def heavy_tails(draws: Draws) -> Scores:
    """Seeds are normal: here Student's t with three degrees of freedom."""
    shape = (draws.count, draws.cell.arms, draws.cell.seeds, 1)
    return draws.probit(draws.random.standard_t(3, shape).astype(np.float32) * np.float32(SEED_SD / SLOPE / 3**0.5))


def collapsing_runs(draws: Draws) -> Scores:
    """Seeds are symmetric: here one run in ten loses about 20 points."""
    fall = COLLAPSE / SLOPE
    shape = (draws.count, draws.cell.arms, draws.cell.seeds, 1)
    fallen = (draws.random.random(shape) < COLLAPSED).astype(np.float32) * np.float32(fall)
    whole = float(np.hypot(FIXED_SD, SEED_SD / SLOPE))
    means = np.linspace(0.0, fall, 20_001)
    expected = (1 - COLLAPSED) * special.ndtr(means / whole) + COLLAPSED * special.ndtr((means - fall) / whole)
    return draws.probit(draws.by_seed() - fallen, mean=float(np.interp(0.5, expected, means)))


def one_arm_wilder(draws: Draws) -> Scores:
    """Arms vary alike: here the first arm's seeds vary four times as much as the others'."""
    by_seed = draws.by_seed()
    by_seed[:, 0] *= np.float32(WILDER)
    return draws.probit(by_seed)


def one_arm_twice_as_wild(draws: Draws) -> Scores:
    """Arms vary alike: here the first arm's seeds vary twice as much as the others'."""
    by_seed = draws.by_seed()
    by_seed[:, 0] *= np.float32(WILDER / 2)
    return draws.probit(by_seed)


def five_benchmarks(draws: Draws) -> Scores:
    """Nothing, in experiments of five benchmarks."""
    return draws.probit(draws.by_seed_of_several())


def one_arm_wilder_on_five(draws: Draws) -> Scores:
    """Arms vary alike: here the first arm's seeds vary four times as much as the others', on all of five benchmarks."""
    by_seed = draws.by_seed_of_several()
    by_seed[:, 0] *= np.float32(WILDER)
    return draws.probit(by_seed)


def one_arm_wilder_on_one_of_five(draws: Draws) -> Scores:
    """The same on one of the five benchmarks alone, of which comparisons are counted."""
    by_seed = draws.by_seed_of_several()
    by_seed[::BENCHMARKS, 0] *= np.float32(WILDER)
    return draws.probit(by_seed)


def seeds_move_kinds(draws: Draws) -> Scores:
    """A seed moves all items alike: here each of four kinds of items by itself."""
    each = draws.normal(KIND_SD / SLOPE, draws.cell.arms, draws.cell.seeds, KINDS)
    return draws.probit(each[..., np.arange(draws.cell.items) % KINDS])


def undeclared_clusters(draws: Draws) -> Scores:
    """Items are independent: here five in succession are one item asked in other words, and nobody said so."""
    return draws.clustered()


def declared_clusters(draws: Draws) -> Scores:
    """The same, and a `cluster` column says so: they are summed as the product sums them."""
    arms, control = draws.clustered()
    items = [str(place) for place in range(draws.cell.items)]
    clusters = {item: str(place // CLUSTER) for place, item in enumerate(items)}

    def summed(scores: Array) -> Array:
        rows = cluster_totals(scores.reshape(-1, len(items)).astype(np.float64), items, clusters)
        return rows.reshape(*scores.shape[:-1], -1).astype(np.float32)

    return summed(arms), summed(control)


def skewed_scores(draws: Draws) -> Scores:
    """Scores have moments that few items show: here the exponential of a normal number, as losses are."""
    cell, seed_sd = draws.cell, SEED_SD / SLOPE
    item = draws.normal(0.7, cell.items)
    arms = draws.normal(0.5, cell.arms, cell.seeds, cell.items) + draws.normal(0.3, cell.arms, 1, cell.items)
    arms += item[:, None, None] + draws.by_seed() - np.float32(seed_sd**2 / 2)
    return np.exp(arms), np.exp(item + draws.normal(float(np.hypot(0.5, 0.3)), cell.items))


def near_the_ceiling(draws: Draws) -> Scores:
    """Means are about normal: here 97 % of answers are right."""
    seeds = float(np.hypot(FIXED_SD, SEED_SD / SLOPE))
    mean = float(special.ndtri(CEILING))
    return draws.probit(draws.by_seed(), mean=mean * seeds, control_mean=mean * FIXED_SD)


def few_items_move(draws: Draws) -> Scores:
    """Items differ by chance everywhere: here 95 % are answered as control answers them."""
    arms, control = draws.probit(draws.by_seed())
    moves = draws.random.random((draws.count, 1, 1, draws.cell.items)) < MOVABLE
    return np.where(moves, arms, control[:, None, None]), control


WORLDS: tuple[Callable[[Draws], Scores], ...] = (
    as_assumed,
    heavy_tails,
    collapsing_runs,
    one_arm_wilder,
    one_arm_twice_as_wild,
    five_benchmarks,
    one_arm_wilder_on_five,
    one_arm_wilder_on_one_of_five,
    seeds_move_kinds,
    undeclared_clusters,
    declared_clusters,
    skewed_scores,
    near_the_ceiling,
    few_items_move,
)
SEVERAL = (five_benchmarks, one_arm_wilder_on_five, one_arm_wilder_on_one_of_five)


def simulate(
    world: Callable[[Draws], Scores], cell: Cell, experiments: int, random: np.random.Generator
) -> Iterator[tuple[Experiments, Array]]:
    """In chunks, each with the variances v of its arms' seed means (E, G); of each pair `experiments` comparisons are
    to be counted."""
    benchmarks = BENCHMARKS if world in SEVERAL else 1
    experiments = experiments if counted_of(world) == benchmarks else -(-experiments // benchmarks)
    size = max(1, CHUNK // (cell.arms * cell.seeds * cell.items * benchmarks))
    for start in range(0, experiments, size):
        count = min(size, experiments - start) * benchmarks
        arms, control = world(Draws(cell, count, random))
        v, mean_square = seed_components(arms)
        observed = replace(cell, items=arms.shape[-1])
        c = mean_square / observed.items
        pooled = pool(v, c, np.full(cell.arms, cell.seeds), unstable_over(v, cell.seeds, benchmarks))
        yield Experiments(observed, arms, control, c, pooled), v


def counted_of(world: Callable[[Draws], Scores]) -> int:
    """Of how many comparisons in succession one is counted."""
    return BENCHMARKS if world is one_arm_wilder_on_one_of_five else 1


def rates(
    world: Callable[[Draws], Scores], cell: Cell, experiments: int, random: np.random.Generator
) -> tuple[list[Array], Reported]:
    """Against control and against another arm: verdicts given, false by each method, false and not marked; and what
    reports say."""
    reported = Reported()
    counts = [np.zeros(2 * len(METHODS) + 1), np.zeros(2 * len(METHODS) + 1)]
    counted = slice(None, None, counted_of(world))
    for chunk, v in simulate(world, cell, experiments, random):
        for count, trained in zip(counts, ([0], [0, 1]), strict=True):
            count += _false(chunk, v, trained, counted)
        with np.errstate(invalid="ignore"):  # as in _false
            reported += report(chunk, BENCHMARKS if world in SEVERAL else 1)
    return counts, reported


def _false(chunk: Experiments, v: Array, trained: Sequence[int], counted: slice) -> Array:
    """Verdicts given, false by each method, and false and not marked, of the `counted` experiments; NaN for a method
    that does not apply."""
    cell, pooled = chunk.cell, chunk.pooled
    with np.errstate(invalid="ignore"):  # the z test has no variance for scores that are no shares
        pair = compare(chunk, 0, trained[1] if len(trained) > 1 else None)
    own_v = np.where(pooled.gated, pooled.s2, v)[:, trained]
    own = SeedTerms(own_v, chunk.c[:, trained], np.full(len(trained), cell.seeds - 1.0), pair.terms.seeds)
    own_width = half_width(LEVEL, pair.item_variance, cell.items, own)
    size = np.abs(pair.delta)
    given = [pair.given if method == "assay" else np.ones_like(pair.given) for method in METHODS]
    false = [each & (size > pair.widths[method]) for each, method in zip(given, METHODS, strict=True)]
    unmarked = false[0] & ((size > own_width) | (cell.seeds >= 5))
    sums = np.array([one[counted].sum() for one in (*given, *false, unmarked)], dtype=np.float64)
    if np.isnan(pair.widths["unpaired_z"]).any():
        sums[2 * len(METHODS) - 1] = np.nan
    return sums


def figures_of(world: Callable[[Draws], Scores], experiments: int, random: np.random.Generator) -> dict[str, Any]:
    """Worst and mean rates of a world by method, and of ours by the number of seeds. Cells in which a verdict is rarely
    given are left out, and counted."""
    found: dict[str, dict[int, list[float]]] = {name: {} for name in (*METHODS, "unmarked")}
    said: list[tuple[float, float]] = []
    rarely = 0
    for cell in CELLS:
        counts, reported = rates(world, cell, experiments, random)
        if counts[0][0] >= experiments / 2:
            said.append((reported.called / reported.given, reported.any_called / reported.experiments))
        for counted in counts:
            given, false, unmarked = counted[:3], counted[3:6], counted[6]
            if given[0] < experiments / 2:
                rarely += 1
                continue
            for name, part, whole in zip(found, (*false, unmarked), (*given, given[0]), strict=True):
                found[name].setdefault(cell.seeds, []).append(part / whole)
    listed = {name: [rate for rates in by_seeds.values() for rate in rates] for name, by_seeds in found.items()}
    return {
        "breaks": (world.__doc__ or "").strip().rstrip("."),
        **{f"{name}_worst": _rounded(max(rates)) for name, rates in listed.items()},
        **{f"{name}_mean": _rounded(np.mean(rates)) for name, rates in listed.items()},
        "assay_worst_by_seeds": {str(seeds): _rounded(max(rates)) for seeds, rates in found["assay"].items()},
        **_reported(said),
        "cells": len(listed["assay"]),
        "cells_without_verdicts": rarely,
    }


def _reported(rates: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    called, any_called = zip(*rates, strict=True)
    return {
        "reported_worst": _rounded(max(called)),
        "reported_mean": _rounded(np.mean(called)),
        "any_reported_worst": _rounded(max(any_called)),
    }


def _rounded(rate: float | np.floating[Any]) -> float | None:
    """None for a method that does not apply."""
    return None if np.isnan(rate) else round(float(rate), 4)


def main() -> None:
    """Simulate every world, write the result and print its figures."""
    run = results_file.begin("broken_assumptions", __doc__, {"experiments": (2000, "A/A experiments of each cell")})
    random = np.random.default_rng(0)
    figures = {world.__name__: figures_of(world, run.given.experiments, random) for world in WORLDS}
    run.write(figures, goal=GOAL, packages=("numpy", "scipy"), notes=NOTES)


if __name__ == "__main__":
    main()

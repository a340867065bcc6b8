"""What `python -m simulation` does: many seeds side by side, one seed with its trace, and the planted bugs.

Prints; decides nothing about what is right.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import takewhile

from simulation.crew import side_by_side
from simulation.every_point import PointsTried, tried_at_each
from simulation.life import Outcome, live, simulate
from simulation.minimise import minimised
from simulation.parts.replacements import quiet
from simulation.planted import BUGS, plant
from simulation.summary import Found, Summary
from simulation.world import Options, SimulatedWorld

SHOWN_LINES = 60
SEEDS_A_PROCESS = 50


def many(first: int, seeds: int, processes: int, within_s: float, write_result: bool) -> int:
    """0 when no seed broke a promise. No more are looked at after `within_s` seconds."""
    began, summary = time.monotonic(), Summary()
    for outcome in _outcomes(range(first, first + seeds), processes):
        summary.add(outcome)
        if outcome.broken:
            print(f"seed {outcome.seed}: {outcome.broken[0]}", flush=True)
        if time.monotonic() - began > within_s:
            break
    wall_s = time.monotonic() - began
    print(
        f"{summary.seeds} seeds, {len(summary.schedules)} schedules, {summary.experiments} experiments, "
        f"{summary.attempts} attempts, {sum(summary.faults.values())} faults, {summary.simulated_s / 3600:.1f} "
        f"simulated hours, {summary.steps} steps in {wall_s:.0f} s: {len(summary.broken)} broken"
    )
    for kind, count in sorted(summary.faults.items()):
        print(f"  {count:8}  {kind}")
    if summary.broken:
        print(f"Look at one: python -m simulation --seed {summary.broken[0].seed} --minimise")
    if write_result:
        from simulation.result import write_seeds

        write_seeds(summary, wall_s)
    return 1 if summary.broken else 0


def _outcomes(seeds: range, processes: int) -> Iterator[Outcome]:
    quiet()
    for _, outcome in side_by_side(_left_behind, (Seed(seed) for seed in seeds), processes, SEEDS_A_PROCESS):
        yield outcome


@dataclass(frozen=True)
class Seed:
    """A seed, and the bug that is planted while it runs, if any."""

    number: int
    bug: str = ""

    def __str__(self) -> str:
        return f"seed {self.number}" + (f" with {self.bug!r} planted" if self.bug else "")


def _left_behind(seed: Seed) -> Outcome:
    """A seed that is not cleared away: its process does not live long."""
    with plant(seed.bug) if seed.bug else nullcontext():
        return live(SimulatedWorld(seed.number))


def one(seed: int, bug: str, *, minimise: bool) -> int:
    """Shows a seed: what broke, and the last lines of its trace."""
    quiet()
    with plant(bug) if bug else nullcontext():
        options = Options()
        outcome = simulate(seed, options)
        if minimise and outcome.broken:
            options, outcome = minimised(outcome)
    print("\n".join(outcome.trace[-SHOWN_LINES:]))
    print(f"seed {seed}, schedule {outcome.digest}, faults {outcome.faults or 'none'}")
    if options != Options():
        print(f"smaller: {options}")
    for broken in outcome.broken:
        print(f"BROKEN: {broken}")
    return 1 if outcome.broken else 0


def every_point(seed: int, every: int, processes: int, write_result: bool) -> int:
    """Kills a process at each fault point of a seed without other faults (or at each `every`th); 0: nothing broke."""
    quiet()
    began, tried = time.monotonic(), PointsTried()
    for point in tried_at_each(seed, every, processes, tried.kinds):
        tried.killed += bool(point.killed)
        if point.broken:
            tried.broken.append(f"point {point.number}, {point.killed}: {point.broken}")
            print(tried.broken[-1], flush=True)
    wall_s = time.monotonic() - began
    for kind, count in sorted(tried.kinds.items()):
        print(f"  {count:8}  {kind}")
    points = sum(tried.kinds.values())
    print(f"seed {seed}: {points} points, killed at {tried.killed} in {wall_s:.0f} s: {len(tried.broken)} broken")
    if write_result:
        from simulation.result import write_points

        write_points(tried, seed, wall_s)
    return 1 if tried.broken else 0


def planted(names: Sequence[str], seeds: range, processes: int, write_result: bool) -> int:
    """0 when every planted bug was found, or each of these."""
    quiet()
    found = [_shown(found_after(name, seeds, processes)) for name in names or BUGS]
    if write_result:
        from simulation.result import write_planted

        write_planted(found)
    return 0 if all(result.broken for result in found) else 1


def _shown(found: Found) -> Found:
    place = f"seed {found.seed}" if found.broken else "not found"
    print(f"{found.bug:35} {place:>10}  {found.broken}", flush=True)
    return found


def found_after(name: str, seeds: range, processes: int) -> Found:
    """Looks for one planted bug, in all seeds before the first that finds it."""
    found: dict[int, str] = {}

    def wanted() -> Iterator[Seed]:
        return (Seed(number, name) for number in takewhile(lambda one: one < min(found, default=seeds.stop), seeds))

    for seed, outcome in side_by_side(_left_behind, wanted(), processes, SEEDS_A_PROCESS):
        if outcome.broken:
            found[seed.number] = outcome.broken[0].invariant
    if not found:
        return Found(name, BUGS[name].words, -1, len(seeds), "")
    first = min(found)
    return Found(name, BUGS[name].words, first, seeds.index(first) + 1, found[first])

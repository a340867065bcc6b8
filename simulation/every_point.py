"""A calm seed, and at each of its fault points a world that goes on from there without the process that came to it.

Runs what lies before the points once for each processor: a fork of the whole process is the world that goes on.
"""

from __future__ import annotations

import gc
import os
from asyncio import events
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from simulation.crew import WorkerDied, side_by_side
from simulation.faults import KINDS
from simulation.life import let_them_lie, live
from simulation.world import Options, SimulatedWorld


@dataclass
class PointsTried:
    """Fault points of one seed: how many there are by kind, at how many a process was killed, and what broke."""

    kinds: dict[str, int] = field(default_factory=dict)
    killed: int = 0
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Point:
    """A fault point that was tried: which process died where, and the first promise that broke then, if any."""

    number: int
    killed: str
    broken: str


@dataclass(frozen=True)
class Share:
    """Every `of`th point of a seed, beginning with the number `first`."""

    seed: int
    first: int
    of: int

    def __str__(self) -> str:
        return f"every {self.of}th fault point of seed {self.seed}, from {self.first} on,"


@dataclass(frozen=True)
class Tried:
    kinds: dict[str, int]
    points: list[Point]


_POINT: TypeAdapter[Point] = TypeAdapter(Point)


def tried_at_each(seed: int, every: int, processes: int, kinds: dict[str, int]) -> Iterator[Point]:
    """Each `every`th point, tried; `kinds` is told how many there are. Raises WorkerDied."""
    shares = [Share(seed, 1 + number * every, every * processes) for number in range(processes)]
    for _, tried in side_by_side(_try_share, shares, processes, 1):
        kinds.update(tried.kinds)
        yield from tried.points


def _try_share(share: Share) -> Tried:
    let_them_lie()
    gc.freeze()
    points: list[Point] = []
    goes_on: list[tuple[int, int]] = []  # in a world that goes on from a point: its number, and where to tell

    def forked(number: int) -> bool:
        """True in the world that goes on without the process; in this one False, when that one has ended."""
        if goes_on or number < share.first or (number - share.first) % share.of:
            return False
        reading, writing = os.pipe()
        loop = events._get_running_loop()
        child = os.fork()
        if child == 0:
            events._set_running_loop(loop)  # asyncio remembers in which process it runs
            os.close(reading)
            goes_on.append((number, writing))
            return True
        os.close(writing)
        points.append(_heard(share.seed, number, reading, child))
        return False

    outcome = live(SimulatedWorld(share.seed, Options(without=KINDS, is_the_end=forked)))
    broken = str(outcome.broken[0]) if outcome.broken else ""
    for number, writing in goes_on:
        os.write(writing, _POINT.dump_json(Point(number, outcome.killed, broken)))
        os._exit(0)
    return Tried(outcome.points, [*points, Point(0, "", broken)] if broken else points)


def _heard(seed: int, number: int, reading: int, child: int) -> Point:
    """What the forked world tells at its end. Raises WorkerDied where it tells nothing."""
    with os.fdopen(reading, "rb") as pipe:
        words = pipe.read()
    _, status = os.waitpid(child, 0)
    if not words:
        raise WorkerDied(f"the process that ran fault point {number} of seed {seed} ended with status {status}")
    return _POINT.validate_json(words)

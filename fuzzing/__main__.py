"""`python -m fuzzing`: malformed inputs at every entrance; each must be accepted or refused in our own words.

Exits 1 where one crashed, and says by which numbers it is made again.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from fuzzing.run import Found, fuzz_chunk, limited
from fuzzing.seeds import again
from fuzzing.targets import TARGETS

Task = TypeVar("Task")
Part = TypeVar("Part")
FULL_SIZE = 1_000_000
CHUNK = 10_000
"""Inputs that share their seeds; each chunk begins anew, so that what becomes of it depends on it alone."""
# Shares of all inputs; pages are the slowest by far.
SHARES = {
    "events": 0.4,
    "specifications": 0.12,
    "dataset rows, intake": 0.12,
    "dataset rows, client": 0.1,
    "gate policies": 0.1,
    "cursors": 0.08,
    "slack messages": 0.05,
    "pages": 0.03,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing crashed."""
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="how many in all (20,000)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first (0)")
    parser.add_argument("--target", choices=list(TARGETS), help="only this entrance")
    parser.add_argument("--number", help="with --target: make this one input, 12 or 12.7, and show what becomes of it")
    parser.add_argument("--processes", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--minutes", type=float, help="end after so long, with what was tried until then")
    parser.add_argument("--result", action="store_true", help="write benchmarks/results/fuzzing.json")
    options = parser.parse_args(arguments)
    if options.number is not None:
        return _one(options.target, tuple(map(int, options.number.split("."))))
    began = time.monotonic()
    ends_at = began + 60 * options.minutes if options.minutes else math.inf
    try:
        found = _many(_tasks(options.target, options.inputs, options.first), options.processes, ends_at)
    except BrokenProcessPool:
        print("A process was killed, for its memory perhaps; nothing is known of its inputs. Try --processes 1.")
        return 1
    crashed = _shown(found)
    if options.result:
        from fuzzing.result import write

        write(found, options.inputs, time.monotonic() - began, FULL_SIZE)
    return 1 if crashed else 0


def _one(name: str, path: tuple[int, ...]) -> int:
    target = TARGETS[name]()
    given = again(target, path)
    print(repr(given)[:4000])
    print(target.answer(given))
    return 0


def _tasks(only: str | None, inputs: int, first: int) -> list[tuple[str, range]]:
    """Chunks of every target, in an order that keeps to the shares whenever it is broken off."""
    placed = []
    for name, share in SHARES.items():
        count = inputs if only == name else 0 if only else round(inputs * share)
        for start in range(0, count, CHUNK):
            numbers = range(first + start, first + min(start + CHUNK, count))
            placed.append((start / count, name, numbers))
    return [(name, numbers) for _, name, numbers in sorted(placed, key=lambda one: one[0])]


def _many(tasks: Sequence[tuple[str, range]], processes: int, ends_at: float) -> list[Found]:
    found = {name: Found(name) for name, _ in tasks}
    for part in in_processes(fuzz_chunk, tasks, processes):
        found[part.target].add(part)
        if time.monotonic() > ends_at:
            break
    return list(found.values())


def in_processes(work: Callable[[Task], Part], tasks: Sequence[Task], processes: int) -> Iterator[Part]:
    """Each task's part in their order. Raises BrokenProcessPool when a process dies, and does not wait for it."""
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), limited) as pool:
        try:
            yield from pool.map(work, tasks)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _shown(found: Sequence[Found]) -> bool:
    for one in found:
        told = ", ".join(f"{count} {word}" for word, count in sorted(one.answers.items()))
        reached = f"{len(one.lines)} lines reached, {one.kept} kept"
        print(f"{one.target:24} {one.inputs:9} inputs: {told}; {reached}")
        for place, (path, words) in one.crashes.items():
            print(f"  CRASH {place}: {words}\n    python -m fuzzing --target {one.target!r} --number {path}")
    return any(one.crashes for one in found)


if __name__ == "__main__":
    sys.exit(main())

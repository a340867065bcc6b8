"""`python -m fuzzing`: malformed inputs at every entrance; each must be accepted or refused in our own words.

Exits 1 where one crashed, and says by which number it is made again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Sequence

from fuzzing.run import Found, fuzz
from fuzzing.targets import TARGETS

FULL_SIZE = 1_000_000
CHUNK = 500
# Shares of all inputs; pages are the slowest by far.
SHARES = {
    "events": 0.45,
    "specifications": 0.1,
    "dataset rows, intake": 0.1,
    "dataset rows, client": 0.1,
    "gate policies": 0.1,
    "cursors": 0.1,
    "slack messages": 0.04,
    "pages": 0.01,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when nothing crashed."""
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000, help="how many in all (20,000)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first (0)")
    parser.add_argument("--target", choices=list(TARGETS), help="only this entrance")
    parser.add_argument("--number", type=int, help="with --target: make this one input and show what becomes of it")
    parser.add_argument("--processes", type=int, default=2, help="how many at the same time (2)")
    parser.add_argument("--result", action="store_true", help="write benchmarks/results/fuzzing.json")
    options = parser.parse_args(arguments)
    if options.number is not None:
        return _one(options.target, options.number)
    began = time.monotonic()
    found = _many(options.target, options.inputs, options.first, options.processes)
    crashed = _shown(found)
    if options.result:
        from fuzzing.result import write

        write(found, time.monotonic() - began, FULL_SIZE)
    return 1 if crashed else 0


def _one(name: str, number: int) -> int:
    import random

    target = TARGETS[name]()
    given = target.make(random.Random(f"{name} {number}"))
    print(repr(given)[:4000])
    print(target.answer(given))
    return 0


def _many(only: str | None, inputs: int, first: int, processes: int) -> list[Found]:
    tasks = []
    for name, share in SHARES.items():
        count = inputs if only == name else 0 if only else round(inputs * share)
        ends = range(first, first + count, CHUNK)
        tasks += [(name, range(start, min(start + CHUNK, first + count))) for start in ends]
    found = {name: Found(name) for name, _ in tasks}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for part in pool.starmap(fuzz, tasks, chunksize=4):
            found[part.target].add(part)
    return list(found.values())


def _shown(found: Sequence[Found]) -> bool:
    for one in found:
        told = ", ".join(f"{count} {word}" for word, count in sorted(one.answers.items()))
        print(f"{one.target:24} {one.inputs:9} inputs: {told}")
        for place, (number, words) in one.crashes.items():
            print(f"  CRASH {place}: {words}\n    python -m fuzzing --target {one.target!r} --number {number}")
    return any(one.crashes for one in found)


if __name__ == "__main__":
    sys.exit(main())

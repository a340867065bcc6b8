"""`python -m simulation`: runs seeds, shows one, makes a failing one small, or proves that planted bugs are found.

Starts itself again with a fixed hash seed, so that a seed means the same on every machine.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Sequence

EXAMPLE = """\
examples:
  python -m simulation --seeds 10000            every invariant over 10,000 schedules, on two processors
  python -m simulation --seed 4711              one schedule, with its trace
  python -m simulation --seed 4711 --minimise   the smallest version of it that still breaks
  python -m simulation --every-point 4711       the same seed, once for each point where a process may die
  python -m simulation --planted                every planted bug, and after how many seeds it is found"""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every promise held, and with --planted when every bug was found; 2 when a process died."""
    options = _parser().parse_args(arguments)
    from simulation.crew import WorkerDied

    try:
        return _done(options)
    except WorkerDied as died:
        print(f"python -m simulation: {died}; nothing is said of it", file=sys.stderr)
        return 2


def _done(options: argparse.Namespace) -> int:
    from simulation import commands

    if options.seed is not None:
        return commands.one(options.seed, options.bug, minimise=options.minimise)
    if options.every_point is not None:
        return commands.every_point(options.every_point, options.every, options.processes, options.result)
    if options.planted:
        seeds = range(options.first, options.first + options.most)
        return commands.planted([options.bug] if options.bug else [], seeds, options.processes, options.result)
    return commands.many(options.first, options.seeds, options.processes, options.within, options.result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m simulation",
        description=(__doc__ or "").splitlines()[0],
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds (500)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--within", type=float, default=math.inf, metavar="S", help="begin no more after S seconds")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many at the same time")
    parser.add_argument("--seed", type=int, help="run this one and show its trace")
    parser.add_argument("--minimise", action="store_true", help="look for a smaller version of the seed that breaks")
    parser.add_argument("--bug", default="", help="plant this bug; with --planted: look for no other")
    parser.add_argument("--planted", action="store_true", help="plant each known bug and look for it")
    parser.add_argument("--every-point", type=int, metavar="SEED", help="kill a process at each fault point of a seed")
    parser.add_argument("--every", type=int, default=1, help="with --every-point: only each so many (1)")
    parser.add_argument("--most", type=int, default=1000, help="seeds to look for a planted bug (1000)")
    parser.add_argument("--result", action="store_true", help="write benchmarks/results/simulation.json")
    return parser


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable, [sys.executable, "-m", "simulation", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"}
        )
    sys.exit(main())

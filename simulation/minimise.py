"""Makes a seed that breaks a promise smaller: fewer kinds of fault, fewer strikes, fewer experiments.

Every smaller version is run whole; one that breaks the same promise is kept.
"""

from __future__ import annotations

from dataclasses import replace

from simulation.faults import KINDS
from simulation.life import Outcome, simulate
from simulation.workload import MOST_EXPERIMENTS
from simulation.world import Options


def minimised(outcome: Outcome) -> tuple[Options, Outcome]:
    """The smallest version found, and how it went; the seed itself where nothing smaller breaks."""
    options, smallest = Options(), outcome
    for most in range(1, MOST_EXPERIMENTS):
        options, smallest = _kept(options, smallest, replace(options, most_experiments=most))
        if options.most_experiments == most:
            break
    for kind in KINDS:
        if kind in smallest.faults:
            options, smallest = _kept(options, smallest, replace(options, without=(*options.without, kind)))
    return _fewer_strikes(options, smallest)


def _fewer_strikes(options: Options, smallest: Outcome) -> tuple[Options, Outcome]:
    """Leaves out halves, quarters and so on of the single strikes of faults."""
    strikes = list(range(1, smallest.strikes + 1))
    size = max(1, len(strikes) // 2)
    while strikes and size >= 1:
        for start in range(0, len(strikes), size):
            fewer = strikes[:start] + strikes[start + size :]
            smaller, outcome = _kept(options, smallest, replace(options, only=tuple(fewer)))
            if smaller is not options:
                options, smallest, strikes = smaller, outcome, fewer
                break
        else:
            size //= 2
    return options, smallest


def _kept(options: Options, outcome: Outcome, smaller: Options) -> tuple[Options, Outcome]:
    """The smaller version where it breaks the same promise, else what there was."""
    tried = simulate(outcome.seed, smaller)
    same = {one.invariant for one in tried.broken} & {one.invariant for one in outcome.broken}
    return (smaller, tried) if same else (options, outcome)

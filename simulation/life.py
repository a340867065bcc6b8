"""A world's whole life: from its first event to quiet, or to the first promise that breaks.

Never decides what is right; `invariants` do.
"""

from __future__ import annotations

import gc
import sys
import time
import warnings
from dataclasses import dataclass
from functools import cache

from simulation.beside import ask, strike
from simulation.broken import Broken
from simulation.database.server import Server
from simulation.invariants.ends import check_ends, is_quiet, unfinished
from simulation.invariants.read_model import check_reports, compare, rebuilt
from simulation.parts.replacements import replaced
from simulation.processes import Processes
from simulation.world import Options, SimulatedWorld

PATIENCE_S = 600.0
"""Within this time after the last fault everything asked for must have ended."""
LOOKS_EVERY_S = 0.25
"""How often it is asked whether all is quiet."""


@dataclass
class Outcome:
    """How a seed went. `trace` are its last lines, `digest` is over all of them."""

    seed: int
    broken: list[Broken]
    trace: list[str]
    digest: str
    steps: int
    seconds: float
    faults: dict[str, int]
    strikes: int
    experiments: int
    attempts: int
    processor_s: float
    points: dict[str, int]
    """Fault points that were come to, by kind."""
    killed: str


def simulate(seed: int, options: Options | None = None) -> Outcome:
    """One seed, from its first event to quiet, or to the first broken promise."""
    outcome = live(SimulatedWorld(seed, options or Options()))
    clear_away()
    return outcome


def live(world: SimulatedWorld) -> Outcome:
    """The whole life of this world. Whatever breaks ends it. Until `clear_away` nothing is collected."""
    gc.disable()
    began_s = time.process_time()
    try:
        with replaced(world):
            world.loop.call_in(world.loop.outside, _begin, world)
            quiet = world.loop.run_until(_Done(world), world.faults.bad_until + PATIENCE_S)
            made = _rebuilt(world) if quiet and not world.broken else None
        if not world.broken and not quiet:
            world.tell("nothing waits for ever", "; ".join(unfinished(world)[:12]) or "nothing is under way")
        elif made is not None:
            check_ends(world)
            check_reports(world)
            compare(world, made)
    finally:
        world.loop.close()
    return _outcome(world, time.process_time() - began_s)


def _begin(world: SimulatedWorld) -> None:
    processes = Processes(world)
    processes.begin_all()
    world.loop.spawn(world.loop.outside, ask(world))
    world.loop.spawn(world.loop.outside, strike(world, processes))


class _Done:
    """Asked at every step whether the world's life is over; looks whether all is quiet only now and then."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._world = world
        self._looks_at = world.faults.bad_until

    def __call__(self) -> bool:
        world = self._world
        if world.broken:
            return True
        if world.loop.time() < self._looks_at:
            return False
        self._looks_at = world.loop.time() + LOOKS_EVERY_S
        return is_quiet(world)


def _rebuilt(world: SimulatedWorld) -> Server | None:
    """The reporter's read model, made again from the log; None where something broke meanwhile."""
    work = world.loop.spawn(world.loop.outside, rebuilt(world))
    world.loop.run_until(lambda: work.done() or bool(world.broken), world.loop.time() + PATIENCE_S)
    if work.done():
        return work.result()
    if not world.broken:
        world.tell("nothing waits for ever", "the read model that is made again from the log")
    return None


def _outcome(world: SimulatedWorld, processor_s: float) -> Outcome:
    return Outcome(
        seed=world.seed,
        broken=world.broken,
        trace=list(world.trace),
        digest=world.digest(),
        steps=world.loop.steps,
        seconds=world.loop.time(),
        faults=dict(world.faults.struck),
        strikes=world.faults.strikes,
        experiments=len(world.workload.experiments),
        attempts=len(world.servers["scheduler"].tables["attempts"]),
        processor_s=processor_s,
        points=world.points.kinds,
        killed=world.points.killed,
    )


@cache
def _freeze_once() -> None:
    """What is left after the first seed is the product itself, which need not be looked through again."""
    gc.freeze()


def clear_away() -> None:
    """What dead processes held is collected here, where nobody minds that their coroutines end in the middle."""
    heard = sys.unraisablehook
    let_them_lie()
    try:
        gc.collect()
        _freeze_once()
        gc.enable()
    finally:
        sys.unraisablehook = heard


def let_them_lie() -> None:
    """Say nothing of coroutines that end in the middle: their processes are dead."""
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
    sys.unraisablehook = lambda _: None

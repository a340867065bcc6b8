"""Runs many inputs of a target, and counts what became of them; a crash keeps the path that makes it again.

Never stops at a crash: all different ones are found in one run.
"""

from __future__ import annotations

import resource
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing.lines import Lines, Place
from fuzzing.seeds import Seeds
from fuzzing.target import Target
from fuzzing.targets import TARGETS

ROOT = Path(__file__).parents[1]
NOT_THE_PRODUCT = (ROOT / ".venv", ROOT / "fuzzing", ROOT / "tests", ROOT / "simulation", ROOT / "benchmarks")
MOST_MEMORY = 8 * 2**30
WATCHED_FIRST, WATCH_EVERY = 2_000, 4
"""Of a chunk the first inputs are watched, where nearly all that is new is found, then each so many: it takes as long
again to watch as to run."""


@dataclass
class Found:
    """What became of a target's inputs; `crashes` are one path and the words for each different place.

    `lines` are those of the product that were reached, `kept` counts the inputs that reached new ones."""

    target: str
    inputs: int = 0
    kept: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    crashes: dict[str, tuple[str, str]] = field(default_factory=dict)
    lines: set[Place] = field(default_factory=set)

    def add(self, other: Found) -> None:
        self.inputs += other.inputs
        self.kept += other.kept
        self.answers.update(other.answers)
        self.crashes = other.crashes | self.crashes
        self.lines |= other.lines


def fuzz(name: str, numbers: Sequence[int]) -> Found:
    """Tries these inputs of one target; what reaches new lines is changed further by later numbers."""
    target, found, lines = TARGETS[name](), Found(name), Lines(ROOT, NOT_THE_PRODUCT)
    seeds = Seeds(target)
    for place, number in enumerate(numbers):
        path, given = seeds.next(number)
        before = len(lines.reached)
        with lines.watched() if place < WATCHED_FIRST or place % WATCH_EVERY == 0 else nullcontext():
            _try(target, path, given, found)
        if len(lines.reached) > before:
            seeds.keep(path, given)
    found.kept, found.lines = seeds.count, lines.reached
    return found


def limited() -> None:
    """How a pool's process begins: an input that asks for more memory is a crash, and takes nothing from others."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))


def fuzz_chunk(chunk: tuple[str, Sequence[int]]) -> Found:
    """`fuzz` for a pool of processes, which hands over one argument."""
    return fuzz(*chunk)


def _try(target: Target, path: tuple[int, ...], given: object, found: Found) -> None:
    found.inputs += 1
    try:
        found.answers[target.answer(given)] += 1
    except Exception as error:
        found.answers["crashed"] += 1
        words = f"{type(error).__name__}: {error}"[:300]
        found.crashes.setdefault(_place(error), (".".join(map(str, path)), words))


def _place(error: Exception) -> str:
    """Where an error came from, so that one bug counts once: the last line of ours, and the error's kind."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(ROOT))]
    own = [frame for frame in ours if "/.venv/" not in frame.filename]
    last = own[-1]
    return f"{Path(last.filename).relative_to(ROOT)}:{last.lineno} {type(error).__name__}"

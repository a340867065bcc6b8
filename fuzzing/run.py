"""Runs many inputs of a target, and counts what became of them; a crash keeps the number that makes it again.

Never stops at a crash: all different ones are found in one run.
"""

from __future__ import annotations

import random
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fuzzing.targets import TARGETS

ROOT = Path(__file__).parents[1]


@dataclass
class Found:
    """What became of a target's inputs; `crashes` are one number and the words for each different place."""

    target: str
    inputs: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    crashes: dict[str, tuple[int, str]] = field(default_factory=dict)

    def add(self, other: Found) -> None:
        self.inputs += other.inputs
        self.answers.update(other.answers)
        self.crashes = other.crashes | self.crashes


def fuzz(name: str, numbers: Sequence[int]) -> Found:
    """Tries these inputs of one target."""
    target, found = TARGETS[name](), Found(name)
    for number in numbers:
        given = target.make(random.Random(f"{name} {number}"))
        try:
            found.answers[target.answer(given)] += 1
        except Exception as error:
            found.answers["crashed"] += 1
            found.crashes.setdefault(_place(error), (number, f"{type(error).__name__}: {error}"[:300]))
        found.inputs += 1
    return found


def _place(error: Exception) -> str:
    """Where an error came from, so that one bug counts once: the last line of ours, and the error's kind."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(ROOT))]
    own = [frame for frame in ours if "/.venv/" not in frame.filename]
    last = own[-1]
    return f"{Path(last.filename).relative_to(ROOT)}:{last.lineno} {type(error).__name__}"

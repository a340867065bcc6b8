"""What came of many seeds, in figures, and of the search for a planted bug.

Keeps whole only the seeds that broke a promise.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simulation.life import Outcome


@dataclass
class Summary:
    """What many seeds were, in figures."""

    seeds: int = 0
    steps: int = 0
    simulated_s: float = 0.0
    experiments: int = 0
    attempts: int = 0
    schedules: set[str] = field(default_factory=set)
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[Outcome] = field(default_factory=list)
    processor_s: float = 0.0

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.steps += outcome.steps
        self.simulated_s += outcome.seconds
        self.experiments += outcome.experiments
        self.attempts += outcome.attempts
        self.schedules.add(outcome.digest)
        self.processor_s += outcome.processor_s
        self.faults.update(outcome.faults)
        if outcome.broken:
            self.broken.append(outcome)


@dataclass(frozen=True)
class Found:
    """By which seed a planted bug was found, after how many, and which promise it broke (none: it was not found)."""

    bug: str
    words: str
    seed: int
    tried: int
    broken: str

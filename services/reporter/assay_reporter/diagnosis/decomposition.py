"""The difference between two arms taken apart by cause: every flip of a response is looked at again.

The parts add up to the difference over the items that both have; never a number of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from assay_reporter.diagnosis.causes import CAUSES, Cause, cause_of
from assay_reporter.diagnosis.columns import Column


@dataclass
class Decomposition:
    """`lost`, `won`: by cause, in shares of 1 of all responses compared; `lost` is what the arm's wrong responses
    cost it, `won` what the wrong ones of the other side cost that. `flips` of `looked_at`; strict and lenient
    differences."""

    lost: dict[Cause, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    won: dict[Cause, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))
    responses: int = 0
    flips: int = 0
    looked_at: int = 0

    @property
    def strict(self) -> float:
        """The difference as scored: what was won less what was lost."""
        return sum(self.won.values()) - sum(self.lost.values())

    @property
    def lenient(self) -> float:
        """The difference once every response that holds the right answer counts, whatever its form."""
        return self.strict + self.lost["format"] - self.won["format"]

    def part(self, cause: Cause) -> float:
        """One cause's part of the difference; negative where the arm loses by it."""
        return self.won[cause] - self.lost[cause]


def decompose(pairs: Iterable[tuple[Column, Column]], most_flips: int) -> Decomposition:
    """An arm's replicates against what each is held against, response by response (joined by item and sample).

    pairs: (the replicate held against, the arm's). Of more flips than `most_flips` an evenly spaced part of the losses
    and of the gains is looked at and weighted up, so that both sums are those of all flips.
    """
    found = Decomposition()
    moved = [_Moved.of(base, replicate) for base, replicate in pairs]
    found.responses = sum(one.compared for one in moved)
    found.flips = sum(len(one.changes) for one in moved)
    every = max(1, -(-found.flips // most_flips))
    sides = [_Side(found.lost, -1.0), _Side(found.won, 1.0)]
    for one in moved:
        wanted = np.concatenate([side.part_of(one.changes, every) for side in sides])
        for cause, change in one.causes(wanted):
            found.looked_at += 1
            sides[int(change > 0)].add(cause, abs(change))
    for side in sides:
        side.weigh(max(1, found.responses))
    return found


@dataclass
class _Side:
    """The losses or the gains: how much they are in all, and what was looked at by cause."""

    causes: dict[Cause, float]
    sign: float
    whole: float = 0.0
    start: int = 0

    def part_of(self, changes: npt.NDArray[np.float64], every: int) -> npt.NDArray[np.int64]:
        """The places of this side's even part of the changes; the part goes on from replicate to replicate."""
        places = np.flatnonzero(changes * self.sign > 0)
        wanted = places[self.start :: every]
        self.start = (self.start - len(places)) % every
        self.whole += float(abs(changes[places]).sum())
        return wanted

    def add(self, cause: Cause, change: float) -> None:
        self.causes[cause] += change

    def weigh(self, responses: int) -> None:
        """What was looked at stands for the whole, as a share of all responses."""
        weight = self.whole / responses / (sum(self.causes.values()) or 1.0)
        for cause in self.causes:
            self.causes[cause] *= weight


@dataclass(frozen=True)
class _Moved:
    """The responses of a replicate whose score is not the base's: the rows of both, and by how much."""

    base: Column
    replicate: Column
    rows: npt.NDArray[np.int64]
    bases: npt.NDArray[np.int64]
    changes: npt.NDArray[np.float64]
    compared: int

    @classmethod
    def of(cls, base: Column, replicate: Column) -> _Moved:
        rows, bases = replicate.shared_rows(base)
        changes = replicate.scores[rows] - base.scores[bases]
        there = ~np.isnan(changes)
        moved = np.flatnonzero(there & (changes != 0))
        return cls(base, replicate, rows[moved], bases[moved], changes[moved], int(there.sum()))

    def causes(self, wanted: npt.NDArray[np.int64]) -> list[tuple[Cause, float]]:
        """Why the wrong one of each wanted pair is wrong, with the change."""
        changes = self.changes[wanted]
        lost, won = wanted[changes < 0], wanted[changes > 0]
        theirs = self.base.texts_of("response", self.bases[lost])
        ours = self.replicate.texts_of("response", self.rows[won])
        wrong = [*self.replicate.responses(self.rows[lost], theirs), *self.base.responses(self.bases[won], ours)]
        moved = np.concatenate([changes[changes < 0], changes[changes > 0]])
        return [(cause_of(one), float(change)) for one, change in zip(wrong, moved, strict=True)]

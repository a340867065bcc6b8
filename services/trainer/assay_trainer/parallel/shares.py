"""Which examples of a step each process sees, in how many forward passes: the same number for all.

A pure function of the step's examples, so no process has to ask another. Collectives inside a forward pass wait
for everybody; a process with fewer passes repeats one that counts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from assay_trainer.data.packing import Sized, passes

Example = TypeVar("Example", bound=Sized)


@dataclass(frozen=True)
class Pass(Generic[Example]):
    """One forward pass; `counts` is False where it only keeps the others company."""

    examples: list[Example]
    counts: bool


def shares(examples: Sequence[Example], places: int) -> list[list[Example]]:
    """The examples dealt out to `places` processes, longest first to whoever has the fewest tokens."""
    dealt: list[list[Example]] = [[] for _ in range(places)]
    tokens = [0] * places
    for example in sorted(examples, key=lambda each: each.length, reverse=True):
        least = min(range(places), key=lambda place: (tokens[place], len(dealt[place])))
        dealt[least].append(example)
        tokens[least] += example.length
    return dealt


def passes_of(
    examples: Sequence[Example], place: int, places: int, rows: int | None, least: int = 1
) -> list[Pass[Example]]:
    """The forward passes of one process, as many as every other has, and not fewer than `least`."""
    planned = [passes(share, rows) for share in shares(examples, places)]
    longest = max(least, *(len(each) for each in planned))
    own = [Pass(part, True) for part in planned[place]]
    filler = Pass([min(examples, key=lambda each: each.length)], False)
    return own + [filler] * (longest - len(own))

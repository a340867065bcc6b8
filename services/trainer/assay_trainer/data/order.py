"""Which rows make which optimizer step: a function of the seed and the rows alone.

Knows nothing of packing or of where a run was interrupted; step n has the same rows in every attempt.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Example = TypeVar("Example")
DEFAULT_EPOCHS = 1.0


def shuffled_for_ever(rows: int, seed: int) -> Iterator[int]:
    """Row positions, one epoch after the other, each in an order of its own."""
    for epoch in itertools.count():
        order = list(range(rows))
        random.Random(f"{seed}/{epoch}").shuffle(order)
        yield from order


def steps_of(steps: int | None, epochs: float | None, usable_rows: int, batch_size: int) -> int:
    """Optimizer steps of a run: as declared, or as many as the epochs need (one where neither is given)."""
    if steps is not None:
        return steps
    return max(1, math.ceil(usable_rows * (epochs or DEFAULT_EPOCHS) / batch_size))


def batches(
    rows: int, seed: int, steps: int, batch_size: int, encode: Callable[[Sequence[int]], Sequence[Example | None]]
) -> list[list[Example]]:
    """The examples of every step. `encode` turns row positions into examples, None for a row to pass over.

    Only rows that the run will see are encoded, each once. Returns no batch where no row is usable.
    """
    needed = steps * batch_size
    encoded: dict[int, Example | None] = {}
    chosen: list[Example] = []
    stream = shuffled_for_ever(rows, seed)
    passed_over = 0
    while len(chosen) < needed and passed_over < rows:
        positions = list(itertools.islice(stream, needed - len(chosen)))
        new = [position for position in dict.fromkeys(positions) if position not in encoded]
        encoded.update(zip(new, encode(new), strict=True))
        found = [example for position in positions if (example := encoded[position]) is not None]
        passed_over = 0 if found else passed_over + len(positions)
        chosen += found
    return [chosen[start : start + batch_size] for start in range(0, len(chosen), batch_size)]

"""Which shard a free worker takes, and what becomes of the shards of one that was lost.

Pure: knows no process. Shards are taken longest expected first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Batch:
    """Requests that are computed together: their places, what they are expected to cost, and their number among the
    batches in the order in which one process would compute them."""

    number: int
    places: Sequence[int]
    cost: float


class ShardLost(Exception):
    """A shard took too many workers with it: the shard is the reason."""


@dataclass
class Shards:
    """The shards of one call. `tries` is how many workers a shard may cost."""

    batches: Sequence[Batch]
    tries: int = 2
    _waiting: list[Batch] = field(init=False)
    _taken: dict[int, Batch] = field(init=False, default_factory=dict)
    _lost: Counter[int] = field(init=False, default_factory=Counter)

    def __post_init__(self) -> None:
        self._waiting = sorted(self.batches, key=lambda batch: (batch.cost, -batch.number))

    def take(self, worker: int) -> Batch | None:
        """The longest expected of those that wait, now the worker's; None where none waits."""
        if not self._waiting:
            return None
        self._taken[worker] = self._waiting.pop()
        return self._taken[worker]

    def done(self, worker: int) -> Batch:
        return self._taken.pop(worker)

    def lost(self, worker: int) -> None:
        """The worker is gone: its shard, if it had one, is the next to be taken. Raises ShardLost."""
        batch = self._taken.pop(worker, None)
        if batch is None:
            return
        self._lost[batch.number] += 1
        if self._lost[batch.number] >= self.tries:
            raise ShardLost(f"{len(batch.places)} items took {self.tries} workers with them")
        self._waiting.append(batch)

    @property
    def finished(self) -> bool:
        return not self._waiting and not self._taken

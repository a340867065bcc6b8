"""What a backend remembers of its runs, found by run, by job or by kind.
Never talks to a cluster or a store, and never judges a run."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from assay_chassis.compute.base import RunStatus, keys_of
from assay_chassis.compute.kubernetes.cluster import Look
from assay_chassis.compute.kubernetes.local_queue import Reading
from assay_chassis.compute.kubernetes.seeing import Seen
from assay_chassis.compute.kubernetes.stored import Stored


@dataclass(frozen=True)
class Judged:
    """A status, and what it came from: while that is the same, so is the status.

    `quota` is the reading of the queue that a waiting run was judged by, and `never` what that says of it."""

    status: RunStatus
    stored: Stored
    look: Look
    quota: Reading | None
    never: str | None


@dataclass
class Known:
    """What this process remembers of a run. Times are of the monotonic clock."""

    stored: Stored
    read_at: float
    look: Look | None = None
    seen: Seen | None = None
    pod_name: str | None = None
    blocked_since: float | None = None
    ended: RunStatus | None = None
    judged: Judged | None = None


class KnownRuns:
    """The runs that are remembered, by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Known] = {}
        self._having: dict[str, set[str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def get(self, name: str) -> Known | None:
        return self._by_name.get(name)

    def names(self) -> AbstractSet[str]:
        return self._by_name.keys()

    def having(self, key: str) -> AbstractSet[str]:
        """The names of the runs with one of the `keys_of` a name."""
        return self._having.get(key, frozenset())

    def add(self, known: Known) -> None:
        """Remember a run, unless it is remembered already."""
        name = known.stored.run.name
        if name not in self._by_name:
            self._by_name[name] = known
            for key in keys_of(name):
                self._having.setdefault(key, set()).add(name)

    def drop(self, name: str) -> None:
        """Unknown: no change."""
        if self._by_name.pop(name, None) is not None:
            for key in keys_of(name):
                self._having[key].discard(name)
                if not self._having[key]:
                    del self._having[key]

    def clear(self) -> None:
        self._by_name.clear()
        self._having.clear()

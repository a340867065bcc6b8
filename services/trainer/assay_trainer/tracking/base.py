"""What a tracker is to a run, and how a run's progress reaches it.

Never changes a run: a tracker that fails is left out, with a line in the log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:  # the service reads the trackers' settings, and shall not load what its jobs load
    from assay_trainer.loop import Watch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackedRun:
    """A run as people find it again: its name, and what it was made from."""

    name: str
    parameters: Mapping[str, str | int | float]


class Tracker(Protocol):
    """Somewhere metrics go. Both methods may raise anything: their libraries do."""

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class TrackerUnusable(Exception):
    """A tracker that is asked for and cannot keep anything: why, and what to do about it."""

    def __init__(self, name: str, why: str, mend: str) -> None:
        super().__init__(f"ASSAY_TRACKERS names {name}, {why}; {mend}, or leave it out")


def library_missing(name: str, library: str) -> TrackerUnusable:
    return TrackerUnusable(name, "whose library is missing", f"install {library}")


@dataclass
class TrackedWatch:
    """A run's watch whose progress also goes to trackers. Use as a context manager, which closes them."""

    watch: Watch
    opened: Sequence[Callable[[], Tracker]]
    _trackers: list[Tracker] = field(default_factory=list)

    def __enter__(self) -> Self:
        for open_one in self.opened:
            found = self._safely(open_one)
            if found is not None:
                self._trackers.append(found)
        return self

    def __exit__(self, *_: object) -> None:
        for tracker in self._trackers:
            self._safely(tracker.close)

    def report_progress(self, record: dict[str, Any]) -> None:
        self.watch.report_progress(record)
        self._trackers = [tracker for tracker in self._trackers if self._safely(partial(_take, tracker, record))]

    def should_stop(self) -> bool:
        return self.watch.should_stop()

    def _safely(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # a server that is away, a full disk, a wrong key: none is worth the run
            log.warning("a tracker fails and gets nothing more of this run: %s", error)
            return None


def _take(tracker: Tracker, record: Mapping[str, Any]) -> bool:
    tracker.log(record["step"], record["metrics"])
    return True

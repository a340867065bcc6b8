"""How far an evaluation is: rows computed of rows asked for, told as they are done.

Only counts; never measures a model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Stopped(Exception):
    """The evaluation was asked to end before it was done."""


class EvaluationProgress:
    """Counts rows as batches end; a row is one response or one likelihood.

    Every call raises Stopped once `should_stop` says so.
    """

    def __init__(
        self, report: Callable[[dict[str, Any]], None], should_stop: Callable[[], bool] = lambda: False
    ) -> None:
        self._report = report
        self._should_stop = should_stop
        self._total = 0
        self._done = 0
        self._phase = "starting"

    def phase(self, phase: str) -> None:
        self._phase = phase
        self._tell()

    def expect(self, rows: int) -> None:
        """From here on `rows` rows are computed."""
        self._total, self._done = rows, 0
        self.phase("running")

    def rows_done(self, rows: int) -> None:
        """A batch ended. Never beyond the total: answers that share a forward pass count once there."""
        self._done = min(self._done + rows, self._total)
        self._tell()

    def beat(self) -> None:
        if self._should_stop():
            raise Stopped("asked to end")

    def _tell(self) -> None:
        self.beat()
        self._report({"phase": self._phase, "step": self._done, "total": self._total})

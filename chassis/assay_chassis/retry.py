"""How long to wait before the next try, and which errors another try may mend.

Never sleeps itself: callers wait on their own clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from assay_chassis.errors import Transient


@dataclass(frozen=True)
class Backoff:
    """Delays in seconds that grow from `first` by `factor` up to `longest`, each shortened at random by up to half."""

    first: float = 0.1
    factor: float = 2.0
    longest: float = 30.0

    def delays(self) -> Iterator[float]:
        """An endless series of delays."""
        delay = self.first
        while True:
            yield delay * random.uniform(0.5, 1.0)
            delay = min(delay * self.factor, self.longest)


def is_transient(error: BaseException) -> bool:
    """Whether the error says that something outside is not there now: ours, or a lost connection of any library."""
    return isinstance(error, Transient | ConnectionError | TimeoutError)

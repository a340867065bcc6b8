"""How far a consumer group is behind, in seconds: the age of the newest moment by which everything was handled.

Never asks a broker: it is told the ends of the partitions and how far they are handled.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable, Mapping

_LONGEST = 1000


class LagMeter:
    """The lag of one topic. At each look the partitions' ends are noted; once all of them are handled,
    everything up to that look is known to be handled, and the lag is the time since then."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Mapping[Hashable, int]]] = deque(maxlen=_LONGEST)
        self._caught_up_at = -math.inf
        self.records = 0

    def look(self, now: float, ends: Mapping[Hashable, int], handled: Mapping[Hashable, int]) -> None:
        """`ends`: next offset to be written, `handled`: next offset to be handled, by partition; `now`: monotonic s."""
        self._looks.append((now, dict(ends)))
        self.records = sum(max(0, end - handled.get(partition, 0)) for partition, end in ends.items())
        while self._looks and all(handled.get(partition, 0) >= end for partition, end in self._looks[0][1].items()):
            self._caught_up_at, _ = self._looks.popleft()

    def seconds(self, now: float) -> float:
        """Seconds behind at monotonic time `now`; infinite before the first time it caught up."""
        return now - self._caught_up_at

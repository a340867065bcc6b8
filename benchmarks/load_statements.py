"""How often each of the scheduler's statements is executed, and how long the caller waits for it.

Counts by the name in `queries.sql`; what has no name (BEGIN, COMMIT) is not seen.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from assay_chassis.outbox import QUERIES as CHASSIS
from assay_chassis.postgres_hosts import Hosts
from assay_scheduler.store import QUERIES as SCHEDULER

NAMES = {text: name for queries in (CHASSIS, SCHEDULER) for name, text in queries._statements.items()}
NOTICEABLE_MS = 1.0
GROWN = 1.5
Found = dict[str, dict[str, float]]


class Statements:
    """Of every connection to this database that is opened while `watched`, since the last `clear`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def watched(self) -> Iterator[None]:
        connect = Hosts.connect

        async def watched_connect(hosts: Hosts, url: str, **options: Any) -> Any:
            connection = await connect(hosts, url, **options)
            if url == self._url:
                connection.add_query_logger(self._note)
            return connection

        with patch.object(Hosts, "connect", watched_connect):
            yield

    def _note(self, query: Any) -> None:
        self._seconds[NAMES.get(query.query, "others")].append(query.elapsed)

    def clear(self) -> None:
        self._seconds.clear()

    def figures(self) -> Found:
        """Calls, and the median wait in milliseconds."""
        return {
            name: {"calls": len(seconds), "median_ms": round(1e3 * statistics.median(seconds), 2)}
            for name, seconds in sorted(self._seconds.items())
        }


def grown(before: Found, after: Found) -> dict[str, list[float]]:
    """Median milliseconds before and after of the statements that take noticeably longer."""
    both = {name: [before[name]["median_ms"], after[name]["median_ms"]] for name in before.keys() & after.keys()}
    return {name: [old, new] for name, (old, new) in sorted(both.items()) if new > max(GROWN * old, NOTICEABLE_MS)}

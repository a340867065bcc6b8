"""Wakes waiting loops: rung by PostgreSQL's NOTIFY at commit, of this process or another.

A hint only: every loop looks by itself as well, now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHANNEL = "assay_scheduler_work"


class Listener:
    """One loop's ear: remembers that the bell rang while the loop was busy."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        """Returns at the next ring, or after the timeout."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        self._rung.clear()


class Bell:
    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def ring(self) -> None:
        for listener in self._listeners:
            listener.ring()

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        listener = Listener()
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

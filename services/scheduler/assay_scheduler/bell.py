"""Wakes waiting loops: rung by PostgreSQL's NOTIFY at commit, of this process or another.

A hint only: every loop looks by itself as well, now and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CHANNEL = "assay_scheduler_work"
REQUEST = "request"
"""What a NOTIFY says when there is something new for intake; of everything else it says nothing."""


class Listener:
    """One loop's ear: remembers that the bell rang while the loop was busy. `only` is all it hears, if not empty."""

    def __init__(self, only: str) -> None:
        self.only = only
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

    def ring(self, news: str) -> None:
        for listener in self._listeners:
            if listener.only in ("", news):
                listener.ring()

    @contextmanager
    def listening(self, only: str = "") -> Iterator[Listener]:
        listener = Listener(only)
        self._listeners.append(listener)
        try:
            yield listener
        finally:
            self._listeners.remove(listener)

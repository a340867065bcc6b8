"""The records of one partition, handled strictly in order; partitions run beside each other.

Never talks to a broker: it is given records and says how far they are handled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from assay_schemas.envelope import Record

OnRecord = Callable[[Record], Awaitable[None]]


class PartitionQueue:
    """One partition's records, waiting and in hand. `failure` holds what broke it, which should be nothing ever."""

    def __init__(self, on_record: OnRecord, handled: Callable[[], None]) -> None:
        self._on_record = on_record
        self._handled = handled
        self._waiting: deque[Record] = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self.next_offset: int | None = None
        self.failure: BaseException | None = None
        self._task = asyncio.create_task(self._run())

    def put(self, record: Record) -> None:
        self._waiting.append(record)
        self._arrived.set()

    @property
    def backlog(self) -> int:
        """Records not yet handled, the one in hand included."""
        return len(self._waiting)

    @property
    def first_unhandled(self) -> int | None:
        """The offset of the record in hand, if any."""
        return self._waiting[0].offset if self._waiting else None

    async def close(self, timeout_s: float) -> None:
        """Take up nothing new; let the record in hand finish within the timeout, then cancel it."""
        self._closing = True
        self._arrived.set()
        await asyncio.wait({self._task}, timeout=timeout_s)
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=timeout_s)

    async def _run(self) -> None:
        try:
            while not self._closing:
                if not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                    continue
                record = self._waiting[0]
                await self._on_record(record)
                self._waiting.popleft()
                self.next_offset = record.offset + 1
                self._handled()
        except Exception as failure:
            self.failure = failure
            self._handled()

"""The records of one partition, handled strictly in order; partitions run beside each other.

Never talks to a broker: it is given records and says how far they are handled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice

from assay_schemas.envelope import Record

OnRecord = Callable[[Record], Awaitable[None]]
OnSeveral = Callable[[Sequence[Record]], Awaitable[bool]]
"""Handles records of one partition together; False leaves all of them to be handled one by one."""
MOST_TOGETHER = 50


class PartitionQueue:
    """One partition's records, waiting and in hand. `failure` holds what broke it, which should be nothing ever."""

    def __init__(self, on_record: OnRecord, handled: Callable[[], None], on_several: OnSeveral | None = None) -> None:
        self._on_record = on_record
        self._on_several = on_several
        self._one_by_one = 0
        self._handled = handled
        self._waiting: deque[Record] = deque()
        self._arrived = asyncio.Event()
        self._closing = False
        self.next_offset: int | None = None
        self.failure: BaseException | None = None
        self._task = asyncio.create_task(self._run())

    def put(self, *records: Record) -> None:
        self._waiting.extend(records)
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
                for _ in range(await self._handle()):
                    self.next_offset = self._waiting.popleft().offset + 1
                self._handled()
        except Exception as failure:
            self.failure = failure
            self._handled()

    async def _handle(self) -> int:
        """Handle the next record, or several that wait; how many."""
        together = list(islice(self._waiting, MOST_TOGETHER))
        if self._on_several is not None and not self._one_by_one:
            if await self._on_several(together):
                return len(together)
            self._one_by_one = len(together)
        await self._on_record(together[0])
        self._one_by_one = max(0, self._one_by_one - 1)
        return 1

"""Row locks and advisory locks as PostgreSQL has them: who waits for whom, and what is a deadlock.

Never knows what a row holds.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Hashable
from typing import Any, Literal

import asyncpg

Mode = Literal["key share", "no key update", "update"]
CONFLICTS: dict[Mode, frozenset[Mode]] = {
    "key share": frozenset({"update"}),
    "no key update": frozenset({"no key update", "update"}),
    "update": frozenset({"key share", "no key update", "update"}),
}
COMMAND_TIMEOUT_S = 60.0
GONE = "connection was closed in the middle of operation"


class Holder:
    """What holds locks: a transaction, or a session."""

    def __init__(self) -> None:
        self.locks: set[Hashable] = set()
        self.waits_for: set[Holder] = set()
        self.waiter: asyncio.Future[None] | None = None
        self.gone = False
        """Its connection was lost: it takes no more locks."""


class Locks:
    """All locks of one server."""

    def __init__(self) -> None:
        self._held: dict[Hashable, dict[Holder, Mode]] = defaultdict(dict)
        self._queues: dict[Hashable, list[Holder]] = defaultdict(list)

    def blockers(self, holder: Holder, key: Hashable, mode: Mode = "update") -> set[Holder]:
        """Who stands in the way of a lock."""
        held = self._held.get(key)
        if not held:
            return set()
        return {other for other, theirs in held.items() if other is not holder and theirs in CONFLICTS[mode]}

    async def take(self, holder: Holder, key: Hashable, mode: Mode = "update") -> None:
        """Raises DeadlockDetectedError, TimeoutError where others hold on for too long, and ConnectionDoesNotExistError
        where its connection was lost meanwhile."""
        while blockers := self.blockers(holder, key, mode):
            holder.waits_for = blockers
            if _in_a_circle(holder):
                holder.waits_for = set()
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            holder.waiter = asyncio.get_running_loop().create_future()
            self._queues[key].append(holder)
            try:
                async with asyncio.timeout(COMMAND_TIMEOUT_S):
                    await holder.waiter
            finally:
                holder.waits_for, holder.waiter = set(), None
                if holder in self._queues[key]:
                    self._queues[key].remove(holder)
            if holder.gone:
                raise asyncpg.ConnectionDoesNotExistError(GONE)
        self.take_now(holder, key, mode)

    def take_now(self, holder: Holder, key: Hashable, mode: Mode = "update") -> None:
        """Of two modes that one holder asked for, the stronger stays."""
        held = self._held[key]
        if len(CONFLICTS[mode]) >= len(CONFLICTS[held.get(holder, "key share")]):
            held[holder] = mode
        holder.locks.add(key)

    def release(self, holder: Holder) -> None:
        """Everything that a holder has, and whoever waits may look again."""
        for key in holder.locks:
            held = self._held[key]
            held.pop(holder, None)
            if not held:
                del self._held[key]
        # In the order of their names, so that a set's own order decides nothing.
        for key in sorted(holder.locks & self._queues.keys(), key=repr):
            for waiting in self._queues.pop(key):
                if waiting.waiter is not None and not waiting.waiter.done():
                    waiting.waiter.set_result(None)
        holder.locks = set()


def _in_a_circle(start: Holder) -> bool:
    seen: set[Any] = set()
    to_see = list(start.waits_for)
    while to_see:
        holder = to_see.pop()
        if holder is start:
            return True
        if holder not in seen:
            seen.add(holder)
            to_see += holder.waits_for
    return False

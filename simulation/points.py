"""Fault points: every message to the database, the store and the topics, counted as a world runs, before and after.

Kills the process that came to one, where it is told to; nothing else goes wrong by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from simulation.harm import Harm
from simulation.loop import Process


@dataclass
class Points:
    """`is_the_end`: whether the process that came to a point, by its number from 1, dies there."""

    is_the_end: Callable[[int], bool]
    harm: Harm
    reached: int = 0
    killed: str = ""
    kinds: dict[str, int] = field(default_factory=dict)

    def dies_here(self, process: Process, where: str) -> bool:
        """Whether this was the point; the caller then waits for ever, as a dead process does."""
        if not process.alive or process.name == "world":
            return False
        self.reached += 1
        self.kinds[where] = self.kinds.get(where, 0) + 1
        if not self.is_the_end(self.reached):
            return False
        self.killed = f"{process.name} {where}"
        self.harm.kill(process, where)
        return True


async def for_ever() -> None:
    """Of a dead process nothing goes on."""
    await asyncio.get_running_loop().create_future()

"""Background tasks of a process and their end.

Never waits for a task that was not told to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

CANCEL_AGAIN_S = 1.0


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and return when all are done, whatever they raised.

    Again every second: a library that waits inside the task may take a cancel for its own and go on.
    """
    waiting = list(tasks)
    while waiting := [task for task in waiting if not task.done()]:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting, timeout=CANCEL_AGAIN_S)

"""A service as the only work of its process.

Never builds one: what it is given is ready to run.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any


def run_alone(serving: Coroutine[Any, Any, None]) -> None:
    """Run until it ends. What is there already stays, so the collector leaves it alone: a look at half a million
    objects that never go would hold every handler for 50 to 200 ms."""
    gc.freeze()
    asyncio.run(serving)

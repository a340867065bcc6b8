"""Tries a store operation again after a failure that may pass.
Never repeats what the store refused for good."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from assay_chassis.object_store.errors import TryAgain

Result = TypeVar("Result")


@dataclass(frozen=True)
class RetryPolicy:
    """Waits base_s, twice that, and so on up to cap_s, each times a random factor from 0.5 to 1."""

    attempts: int = 5
    base_s: float = 0.1
    cap_s: float = 5.0

    def wait_s(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt`, counted from 1."""
        return min(self.cap_s, self.base_s * 2.0 ** (attempt - 1)) * random.uniform(0.5, 1.0)


async def with_retries(policy: RetryPolicy, operation: Callable[[], Awaitable[Result]]) -> Result:
    """The operation's result. Raises what the last TryAgain stood for."""
    for attempt in range(1, policy.attempts):
        try:
            return await operation()
        except TryAgain:
            await asyncio.sleep(policy.wait_s(attempt))
    try:
        return await operation()
    except TryAgain as failure:
        raise failure.final from failure

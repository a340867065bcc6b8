"""Background work that is started again when it fails, and a verdict when it keeps failing.

Never ends the process itself: it says why the process should end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from assay_chassis import telemetry
from assay_chassis.clock import Clock
from assay_chassis.retry import Backoff

Background = Callable[[], Awaitable[None]]
FAILURES_IN_A_ROW = 6
FORGIVEN_AFTER_S = 60.0


class Supervisor:
    """Runs coroutine functions until `stop`: one that returns is done, one that raises is run again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._log = telemetry.logger("background")
        self.failure: str | None = None
        self.failed = asyncio.Event()

    def start(self, name: str, work: Background) -> None:
        self._tasks[name] = asyncio.create_task(self._keep_running(name, work), name=name)

    def fail(self, reason: str) -> None:
        """Say that the process has to be restarted; the first reason stays."""
        self.failure = self.failure or reason
        self.failed.set()

    async def _keep_running(self, name: str, work: Background) -> None:
        delays, failures = Backoff(longest=10.0).delays(), 0
        while True:
            started = self._clock.monotonic()
            try:
                await work()
                return
            except Exception as error:
                if self._clock.monotonic() - started > FORGIVEN_AFTER_S:
                    delays, failures = Backoff(longest=10.0).delays(), 0
                failures += 1
                self._log.exception("background task failed", task=name, failures=failures)
                telemetry.count("background_restarts", task=name)
                if failures >= FAILURES_IN_A_ROW:
                    self.fail(f"background task {name} failed {failures} times in a row: {error!r}")
                    return
            await self._clock.sleep(next(delays))

    async def stop(self, timeout_s: float) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=timeout_s)
        self._tasks.clear()

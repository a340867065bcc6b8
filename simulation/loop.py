"""An asyncio event loop on simulated time: several processes, one thread, and every order of things from one seed.

Never waits for real time and never calls the operating system; code under simulation cannot tell.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import random
from asyncio import events, futures
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")


class Process:
    """A simulated operating system process. Dead ones never run again, not even their clean-up; stopped ones later."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.stopped_until = 0.0
        self.clock_off_s = 0.0
        """By how much its machine's time of day is wrong."""
        self.ask_to_end: Callable[[], None] | None = None
        """What SIGTERM does to it."""
        self.ready: deque[asyncio.Handle] = deque()
        self.held: list[Any] = []
        """What must outlive the process, so that collecting it runs none of its code."""


_PROCESS: contextvars.ContextVar[Process] = contextvars.ContextVar("simulated_process")
_WAKES = vars(futures)["_set_result_unless_cancelled"]
"""What `asyncio.sleep` calls when its time has come: it only puts the sleeper among what is ready."""
_NONE: contextvars.Context = contextvars.Context()
"""The context of wakers, which call nothing that looks at one."""


def current_process() -> Process:
    return _PROCESS.get()


def clock_off_s() -> float:
    """By how much the time of day is wrong here."""
    process = _PROCESS.get(None)
    return 0.0 if process is None else process.clock_off_s


class _Call(asyncio.Handle):
    """A handle without asyncio's looks at debug settings: most of what a simulation does is make and run these."""

    __slots__ = ()

    def __init__(
        self, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: contextvars.Context | None
    ) -> None:
        self._context = context if context is not None else contextvars.copy_context()
        self._loop, self._callback, self._args, self._cancelled = loop, callback, args, False
        self._repr, self._source_traceback = None, None


class _Timer(asyncio.TimerHandle):
    """A timer without asyncio's looks at debug settings; a cancelled one is passed over when its time comes."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: contextvars.Context
    ) -> None:
        self._context = context
        self._loop, self._callback, self._args, self._cancelled = loop, callback, args, False
        self._repr, self._source_traceback = None, None
        self._when, self._scheduled = when, False

    def cancel(self) -> None:
        self._cancelled, self._callback, self._args = True, None, ()


class SimulatedLoop(asyncio.BaseEventLoop):
    """Callbacks of one process run in the order asyncio promises; which process is next is the seed's choice."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"schedule {seed}")
        self._random = self.random.random
        self.outside = Process("world")
        self.processes: list[Process] = [self.outside]
        self.steps = 0
        self.errors: list[dict[str, Any]] = []
        self._now = 0.0
        self._count = 0
        self._timers: list[tuple[float, int, _Timer | asyncio.Future[None]]] = []
        self._runnable: list[Process] = []
        self._running = False
        self._closed = False

    # What asyncio asks of a loop.

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> asyncio.Handle:  # type: ignore[override]
        handle = _Call(callback, args, self, context)
        self._put(handle)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        if context is None:
            context = _NONE if callback is _WAKES else contextvars.copy_context()
        handle = _Timer(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when if when > self._now else self._now, self._count, handle))
        return handle

    def sleep(self, seconds: float) -> Awaitable[None]:
        """What `asyncio.sleep` does, for half of its price."""
        if seconds <= 0:
            return asyncio.sleep(0)
        waiter: asyncio.Future[None] = asyncio.Future(loop=self)
        self._count += 1
        heapq.heappush(self._timers, (self._now + seconds, self._count, waiter))
        return waiter

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: object = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(
            coro, loop=self, name=None if name is None else str(name), context=context
        )
        (context.get(_PROCESS, self.outside) if context else _PROCESS.get(self.outside)).held.append(task)
        return task

    def run_in_executor(  # type: ignore[override]
        self,
        executor: Executor | None,  # noqa: ARG002
        func: Any,
        *args: Any,
    ) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    get_debug = bool  # False, without a Python call for each future

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._timers.clear()
        for process in self.processes:
            process.ready.clear()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), Exception):
            self.errors.append(context)

    # Processes.

    def process(self, name: str) -> Process:
        process = Process(name)
        self.processes.append(process)
        return process

    def spawn(self, process: Process, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine as a process: everything that it starts belongs to it."""
        context = contextvars.Context()
        context.run(_PROCESS.set, process)
        return self.create_task(work, context=context)

    def call_in(self, process: Process, callback: Callable[..., object], *args: Any) -> None:
        context = contextvars.Context()
        context.run(_PROCESS.set, process)
        self.call_soon(callback, *args, context=context)

    def later(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        """Call the world itself after a while, whichever process asks for it and whatever becomes of that one."""
        self.call_later(delay, callback, *args, context=contextvars.Context())

    def kill(self, process: Process) -> None:
        process.alive = False
        process.ready.clear()

    def stop_process(self, process: Process, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after that time."""
        process.stopped_until = self._now + seconds

    # Running.

    def run_until(self, done: Callable[[], bool], limit_s: float) -> bool:
        """Run until `done()`, looked at whenever time moves; False when the limit or the end of all work came first."""
        around = events._get_running_loop()
        events._set_running_loop(self)
        self._running = True
        try:
            while not self._closed:
                if self._runnable:
                    self._step()
                elif done():
                    return True
                elif self._now > limit_s or not self._advance():
                    return False
            return False
        finally:
            self._running = False
            events._set_running_loop(around)

    def _step(self) -> None:
        runnable = self._runnable
        place = int(self._random() * len(runnable)) if len(runnable) > 1 else 0
        process = runnable[place]
        ready = process.ready
        if ready and process.alive and process.stopped_until <= self._now:
            handle = ready.popleft()
            self.steps += 1
            if not handle._cancelled:
                handle._run()
            if ready and process.alive and process.stopped_until <= self._now:
                return
        runnable[place] = runnable[-1]
        runnable.pop()
        if ready and process.alive:
            self.call_at(process.stopped_until, self._resume, process, context=contextvars.Context())

    def _resume(self, process: Process) -> None:
        if process.alive and process.ready and process not in self._runnable:
            self._runnable.append(process)

    def _put(self, handle: asyncio.Handle) -> None:
        process = handle._context.get(_PROCESS) or self.outside  # type: ignore[attr-defined]
        if self._closed or not process.alive:
            return
        ready = process.ready
        ready.append(handle)
        if len(ready) == 1:
            self._runnable.append(process)

    def _advance(self) -> bool:
        """Move time on to the next timers; False when there are none."""
        timers = self._timers
        while timers and _is_cancelled(timers[0][2]):
            heapq.heappop(timers)
        if not timers:
            return False
        now = self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= now:
            waker = heapq.heappop(timers)[2]
            if not isinstance(waker, _Timer):
                if not waker.done():
                    waker.set_result(None)
            elif waker._cancelled:
                continue
            elif waker._callback is _WAKES:
                waker._run()
            else:
                self._put(waker)
        return True


def _is_cancelled(waker: _Timer | asyncio.Future[None]) -> bool:
    return waker._cancelled if isinstance(waker, _Timer) else waker.cancelled()

"""What becomes of each record: its handler takes it, or it is tried again, or it goes to the dead-letter topic.

Never gives up on a record without a dead letter, and never lets one stop its partition for good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

import structlog
from assay_schemas.envelope import Event, Record, Unreadable, decode
from assay_schemas.letters import TRUNCATED
from pydantic import ValidationError

from assay_chassis import telemetry, tracing
from assay_chassis.clock import Clock
from assay_chassis.dead_letter import dead_letter, truncated
from assay_chassis.errors import AssayError, EventTooLarge, Permanent
from assay_chassis.retry import Backoff, is_transient
from assay_chassis.together import HandleSeveral, Together

Handle = Callable[[Event], Awaitable[None]]
PERMANENT = (Permanent, Unreadable, ValidationError)
UNEXPECTED_TRIES = 5
HANDLER_TIMEOUT_S = 300.0
AT_ONCE = 6


class Sender(Protocol):
    async def send(self, record: Record) -> None: ...


class HandlerTimedOut(AssayError):
    """A handler took too long; handlers never wait for a job."""


class Delivery:
    """Hands records to the handler of their topic; `deliver` returns when a record is settled, and never raises."""

    def __init__(
        self,
        service: str,
        sender: Sender,
        clock: Clock,
        *,
        backoff: Backoff | None = None,
        at_once: int = AT_ONCE,
        handler_timeout_s: float = HANDLER_TIMEOUT_S,
    ) -> None:
        self._service = service
        self._sender = sender
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._slots = asyncio.Semaphore(at_once)
        self._handler_timeout_s = handler_timeout_s
        self._handlers: dict[str, Handle] = {}
        self._together: dict[str, HandleSeveral] = {}
        self._log = telemetry.logger(service)
        self.waiting: dict[str, str] = {}

    @property
    def topics(self) -> list[str]:
        return list(self._handlers)

    def on(self, topic: str, handle: Handle) -> None:
        self._handlers[topic] = handle

    def on_several(self, topics: Sequence[str], several: HandleSeveral, *, gather: bool = True) -> None:
        """`several` handles events of all these topics together, all or none; when it fails, it gets each alone.

        With `gather`, those of several partitions share a round; without, each partition's are handled at once."""

        async def alone(event: Event) -> None:
            await several([event])

        async def in_time(events: Sequence[Event]) -> None:
            with tracing.handling(*events):
                await self._in_time(f"{len(events)} events together", partial(several, events))

        together = Together(in_time, self._clock).handle if gather else in_time
        for topic in topics:
            self.on(topic, alone)
            self._together[topic] = together

    async def deliver(self, record: Record) -> None:
        """Settle one record: handled, or dead."""
        started = self._clock.monotonic()
        try:
            error = await self._handle(record)
            if error is not None:
                await self._bury(record, error)
        finally:
            self.waiting.pop(_place(record), None)
        self._settled(record, started, "dead" if error is not None else "handled")

    async def deliver_together(self, records: Sequence[Record]) -> bool:
        """Settle records of one partition at once; False, with nothing done, where they must be settled one by one."""
        together = self._together.get(records[0].topic)
        if together is None:
            return False
        started = self._clock.monotonic()
        try:
            await together([decode(record) for record in records])
        except Exception as error:
            self._log.info("not handled together", place=_place(records[0]), count=len(records), error=repr(error))
            return False
        self._settled(records[0], started, "handled", len(records))
        return True

    def _settled(self, record: Record, started: float, outcome: str, count: int = 1) -> None:
        """Of `count` records of one topic from this one on."""
        self._log.debug("settled", place=_place(record), outcome=outcome, count=count)
        telemetry.count("events_consumed", count, topic=record.topic, outcome=outcome)
        telemetry.observe("event_seconds", self._clock.monotonic() - started, count, topic=record.topic)

    async def _handle(self, record: Record) -> BaseException | None:
        """None when handled, else the error that makes the record dead."""
        try:
            event = decode(record)
        except Unreadable as error:
            return error
        handle = self._handlers[record.topic]
        delays, unexpected = self._backoff.delays(), 0
        while True:
            try:
                await self._call(handle, event)
            except PERMANENT as error:
                return error
            except Exception as error:
                if not is_transient(error):
                    unexpected += 1
                    if unexpected >= UNEXPECTED_TRIES:
                        self._log.exception("handler failed for good", event_id=event.id, place=_place(record))
                        return error
                await self._wait(record, error, next(delays))
            else:
                return None

    async def _call(self, handle: Handle, event: Event) -> None:
        bound = structlog.contextvars.bound_contextvars(
            event_type=event.type, event_id=event.id, key=event.key, correlation=event.correlationid
        )
        with bound, tracing.handling(event):
            await self._in_time(event.type, partial(handle, event))

    async def _in_time(self, what: str, handle: Callable[[], Awaitable[None]]) -> None:
        """Run a handler, not too many at once; one that hangs has failed, and is tried again a few times."""
        async with self._slots:
            try:
                async with asyncio.timeout(self._handler_timeout_s) as limit:
                    await handle()
            except TimeoutError as error:
                if not limit.expired():
                    raise
                raise HandlerTimedOut(
                    f"the handler of {what} ran for more than {self._handler_timeout_s:.0f} s; "
                    "hand long work to a background task"
                ) from error

    async def _bury(self, record: Record, error: BaseException) -> None:
        letter = dead_letter(record, error, self._service)
        delays = self._backoff.delays()
        while True:
            try:
                await self._sender.send(letter)
            except EventTooLarge as failure:
                if letter.headers[-1][0] == TRUNCATED:
                    await self._wait(record, failure, next(delays))
                else:
                    letter = truncated(letter)
            except Exception as failure:
                await self._wait(record, failure, next(delays))
            else:
                break
        self._log.warning(
            "dead letter", place=_place(record), error_class=type(error).__name__, reason=str(error)[:500]
        )

    async def _wait(self, record: Record, error: BaseException, seconds: float) -> None:
        place = _place(record)
        self.waiting[place] = str(telemetry.without_secrets(f"{place}: {type(error).__name__}: {error}"))
        telemetry.count("events_retried", topic=record.topic)
        self._log.warning("trying again", place=place, in_s=round(seconds, 2), error=f"{type(error).__name__}: {error}")
        await self._clock.sleep(seconds)


def _place(record: Record) -> str:
    return f"{record.topic}/{record.partition}/{record.offset}"

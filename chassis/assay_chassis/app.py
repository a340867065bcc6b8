"""What every service is: handlers of events, background work and HTTP, started, watched and stopped in order.

Never knows what an event means; that is in the handlers.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import inspect
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, cast

from assay_schemas.envelope import Event
from fastapi import FastAPI

from assay_chassis import telemetry, tracing
from assay_chassis.broker import Broker, KafkaBroker
from assay_chassis.clock import Clock, SystemClock
from assay_chassis.database import Database
from assay_chassis.delivery import AT_ONCE, Delivery, Handle
from assay_chassis.errors import DatabaseUnavailable, Misconfigured, Transient
from assay_chassis.health import HttpServer, add_health_routes
from assay_chassis.inbox import HandlerOfSeveral, TransactionalHandler, apply_once, apply_together
from assay_chassis.migrations import migrate
from assay_chassis.outbox import QUERIES, Transaction, transaction
from assay_chassis.publishing import Publisher
from assay_chassis.relay import OutboxRelay
from assay_chassis.retry import Backoff
from assay_chassis.settings import ServiceSettings
from assay_chassis.supervision import Background, Supervisor
from assay_chassis.together import HandleSeveral

if TYPE_CHECKING:
    from assay_chassis.object_store import ObjectStore

T = TypeVar("T")
WATCH_EVERY_S = 2.0
STANDSTILL_S = 120.0


class ServiceApp:
    """One service. With `migrations` (a package) it is transactional: inbox, outbox and a schema named as the service.

    `store`, `broker` and `clock` replace the real ones in tests. After `pause_s` without a word in a transaction
    PostgreSQL ends it: for services that wait for nothing else in one.
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        *,
        migrations: str | None = None,
        broker: Broker | None = None,
        clock: Clock | None = None,
        store: ObjectStore | None = None,
        pause_s: float | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.log = telemetry.logger(name)
        self.broker: Broker = broker or KafkaBroker(settings, client_id=f"assay-{name}", clock=self.clock)
        self.delivery = Delivery(name, self.broker, self.clock, at_once=_handlers_at_once(settings, migrations))
        self._migrations = migrations
        self._pause_s = pause_s
        self._given_store = store
        self._database: Database | None = None
        self._background: dict[str, Background] = {}
        self._supervisor = Supervisor(self.clock)
        self._api: FastAPI | None = None
        self._server: HttpServer | None = None
        self._phase = "not started"
        self._stopping = asyncio.Event()

    # Registration, before `run`.

    def on(self, topic: str, handler: TransactionalHandler | Handle) -> None:
        """Handle a topic's events: `handler(event, tx)` once each in a transactional service, else `handler(event)`."""
        expected = 1 if self._migrations is None else 2
        if len(inspect.signature(handler).parameters) != expected:
            raise Misconfigured(
                f"handler of {topic}: a service {'with' if expected == 2 else 'without'} `migrations` calls "
                f"{'handler(event, tx)' if expected == 2 else 'handler(event)'}; change its parameters"
            )
        if self._migrations is None:
            self.delivery.on(topic, cast(Handle, handler))
            return
        transactional = cast(TransactionalHandler, handler)

        async def handle(event: Event) -> None:
            await apply_once(self.database, event, transactional)

        self.delivery.on(topic, handle)

    def on_several(self, topics: Sequence[str], handler: HandlerOfSeveral) -> None:
        """Handle these topics' events with `handler(events, tx)`, once each: those that wait at the same time in one
        transaction. Where that fails, each gets a transaction of its own, so that one cannot take others down."""

        async def handle(events: Sequence[Event]) -> None:
            await apply_together(self.database, events, handler)

        self.delivery.on_several(topics, handle)

    def on_progress(self, topics: Sequence[str], handler: HandleSeveral) -> None:
        """Handle these topics' events with `handler(events)`, past the inbox: the handler must bear repeats. Those of a
        partition that wait at the same time come together; where that fails, each comes alone."""
        self.delivery.on_several(topics, handler, gather=False)

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work()` beside the handlers; started again when it raises, until it raises too often."""
        self._background[name] = work

    def mount(self, api: FastAPI) -> None:
        """Serve the service's own HTTP application; health and metrics are added to it."""
        self._api = api

    # What handlers and background work use.

    @property
    def publisher(self) -> Publisher:
        return self.broker

    @property
    def database(self) -> Database:
        if self._database is not None:
            return self._database
        if self._migrations is None:
            raise Misconfigured(f"{self.name} has no database; pass `migrations`, the package that declares its tables")
        raise DatabaseUnavailable(f"{self.name}: the database is not connected yet; it is tried again")

    @cached_property
    def store(self) -> ObjectStore:
        """The object store of the settings."""
        if self._given_store is not None:
            return self._given_store
        from assay_chassis.object_store import StoreSettings, open_store

        return open_store(StoreSettings(**self.settings.model_dump(include=set(StoreSettings.model_fields))))

    def transaction(self) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """A transaction with an outbox, for work no event started."""
        return transaction(self.database)

    def consumer_lag(self, topic: str) -> float:
        """Seconds by which this service's reading of a topic is behind; infinite while that is not known."""
        return self.broker.lag(topic)

    @property
    def http_port(self) -> int:
        """The port that is listened on."""
        return self._server.port if self._server is not None else self.settings.http_port

    async def problems(self) -> list[str]:
        """Why the service is not ready; empty when it is."""
        if self._phase != "running":
            return [self._phase]
        found = self.broker.problems()
        if self._database is not None and not await self._database.answers():
            found.append("database: does not answer")
        return found

    # Running.

    async def run(self) -> None:
        """Start, serve until SIGTERM, SIGINT or `stop`, and end in order. Raises SystemExit(1) when something broke."""
        telemetry.configure_logging(self.name, self.settings.log_level, self.settings.log_format)
        tracing.start(self.name)
        with _ending_on_signals(self.stop):
            await self._run()

    async def _run(self) -> None:
        work = asyncio.create_task(self._start())
        ends = [asyncio.create_task(event.wait()) for event in (self._stopping, self._supervisor.failed)]
        try:
            await asyncio.wait({work, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() and work.exception() is None:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, *ends):
                task.cancel()
            results = await asyncio.gather(work, *ends, return_exceptions=True)
            await self._end()
        self._report(results[0])

    def _report(self, outcome: object) -> None:
        if isinstance(outcome, Exception):
            self.log.error("the service could not start", error=outcome, exc_info=outcome)
            raise SystemExit(1) from outcome
        if self._supervisor.failure is not None:
            self.log.error("the service ends to be restarted", reason=self._supervisor.failure)
            raise SystemExit(1)
        self.log.info("stopped")

    def stop(self) -> None:
        """Ask the service to end; `run` then returns."""
        self._stopping.set()

    async def _start(self) -> None:
        api = self._api or FastAPI(title=f"Assay {self.name}")
        add_health_routes(api, self.name, self.problems, lambda: list(self.delivery.waiting.values()))
        server = HttpServer(api, self.settings.http_host, self.settings.http_port)
        await server.start()
        self._server = server
        if self._migrations is not None:
            self._database = await self._patiently("database", self._open_database)
        if self.delivery.topics:
            self.broker.subscribe(
                self.delivery.topics, self.name, self.delivery.deliver, self.delivery.deliver_together
            )
        await self._patiently("broker", self.broker.start)
        if self._database is not None:
            self._supervisor.start("relay", OutboxRelay(self._database, self.broker, self.clock).run)
        self._supervisor.start("watch", self._watch)
        for name, work in self._background.items():
            self._supervisor.start(name, work)
        self._phase = "running"
        self.log.info("running", http_port=self.http_port, topics=self.delivery.topics)

    async def _patiently(self, part: str, connect: Callable[[], Awaitable[T]]) -> T:
        """Connect, waiting for a part that is not there yet."""
        delays = Backoff(first=0.2, longest=5.0).delays()
        while True:
            try:
                return await connect()
            except Transient as error:
                self._phase = f"{part}: {error}"
                self.log.warning(f"waiting for the {part}", error=str(error))
            await self.clock.sleep(next(delays))

    async def _open_database(self) -> Database:
        database = await Database.connect(
            self.settings.database_url,
            schema=self.name,
            connections=self.settings.database_connections,
            pause_s=self._pause_s,
        )
        try:
            await migrate(database, "assay_chassis", *([self._migrations] if self._migrations else []))
        except BaseException:
            await database.close()
            raise
        return database

    async def _watch(self) -> None:
        """Notice what only a restart of the process mends: a dead broker client, or an event loop that stands still."""
        while True:
            faulthandler.dump_traceback_later(STANDSTILL_S, exit=True)
            await asyncio.sleep(WATCH_EVERY_S)
            failure = self.broker.failure()
            if failure is not None:
                self._supervisor.fail(failure)
            if self._database is not None:
                await self._measure_outbox(self._database)

    async def _measure_outbox(self, database: Database) -> None:
        with contextlib.suppress(Transient):
            async with database.connection() as connection:
                row = await connection.fetchrow(QUERIES.count_unpublished)
                telemetry.gauge("outbox_pending", row["count"], service=self.name)
                telemetry.gauge("outbox_age_seconds", row["age_s"], service=self.name)

    async def _end(self) -> None:
        """Stop reading and let handlers finish, then background work, then the connections."""
        self._phase = "stopping"
        await self.broker.stop()
        await self._supervisor.stop(self.settings.shutdown_timeout_s)
        faulthandler.cancel_dump_traceback_later()
        if self._database is not None:
            await self._database.close()
        if self._server is not None:
            await self._server.stop()
        await asyncio.to_thread(tracing.stop)


@contextlib.contextmanager
def _ending_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the first SIGTERM or SIGINT; a second one ends the process as it does without us."""
    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)

    def restore() -> None:
        for number in numbers:
            loop.remove_signal_handler(number)

    def first() -> None:
        restore()
        stop()

    # Only the main thread may take signals; a service inside a test's thread does without.
    if threading.current_thread() is threading.main_thread():
        for number in numbers:
            loop.add_signal_handler(number, first)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            restore()


def _handlers_at_once(settings: ServiceSettings, migrations: str | None) -> int:
    """No more handlers than connections, less one for HTTP and background work."""
    return AT_ONCE if migrations is None else max(1, min(AT_ONCE, settings.database_connections - 1))

"""Connections to the simulated PostgreSQL as asyncpg has them: a pool, transactions, LISTEN, and ways to break.

Never decides what a statement means; `server` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg

from simulation.database.chassis_statements import LEAD
from simulation.database.locks import GONE, Holder
from simulation.database.server import Row, Server, Transaction
from simulation.faults import Faults
from simulation.harm import Harm
from simulation.loop import Process, SimulatedLoop, current_process
from simulation.points import Points, for_ever

NOTICED_AFTER_S = 2.0
LOCKS = "FOR UPDATE"
"""How a statement ends that locks the rows it reads: before these a decision rests on what was seen earlier."""


class Record(dict[str, Any]):
    """A row that answers to names and places, as asyncpg's does."""

    def __missing__(self, place: Any) -> Any:
        if not isinstance(place, int):
            raise KeyError(place)
        return list(self.values())[place]


class Sessions:
    """All sessions of one server, which may be cut off by faults or by the end of their process."""

    def __init__(self, server: Server, loop: SimulatedLoop, faults: Faults, points: Points, harm: Harm) -> None:
        self.server, self.loop, self.faults, self.points, self.harm = server, loop, faults, points, harm
        self.tell: Callable[[str], None] = lambda _: None
        self.open: list[Session] = []
        server.notify = self._notify

    def connect(self, settings: Mapping[str, str]) -> Session:
        session = Session(self, current_process(), settings)
        self.open.append(session)
        return session

    def process_stopped(self, process: Process) -> None:
        """A transaction in which nothing is said may have a limit."""
        for session in self.open:
            if session.process is process and session.block is not None and session.pause_s is not None:
                self.loop.later(session.pause_s, session.end_if_still, session.block)

    def process_died(self, process: Process) -> None:
        """The server notices a little later, and holds the locks of the dead until then."""
        for session in [one for one in self.open if one.process is process]:
            delay = self.faults.between("process killed", 0.0, NOTICED_AFTER_S)
            self.loop.later(delay, session.drop)

    def restart(self) -> None:
        for session in list(self.open):
            session.drop()

    def _notify(self, channel: str, news: str) -> None:
        for session in self.open:
            for heard in session.listeners.get(channel, ()):
                delay = self.loop.random.uniform(0.0002, 0.003)
                if self.faults.strikes_now("late notification", session.process.name):
                    delay = self.faults.between("late notification", 0.2, 5.0)
                self.loop.later(delay, self.loop.call_in, session.process, heard, session, 0, channel, news)


class Session(Holder):
    """One connection."""

    def __init__(self, sessions: Sessions, process: Process, settings: Mapping[str, str]) -> None:
        super().__init__()
        self.process = process
        limit_ms = settings.get("idle_in_transaction_session_timeout")
        self.pause_s = None if limit_ms is None else int(limit_ms) / 1000
        self.listeners: dict[str, list[Callable[..., None]]] = {}
        self.tx: Transaction | None = None
        self.block: Transaction | None = None
        """The transaction of several statements that is open."""
        self._sessions = sessions
        self._server = sessions.server
        self._closed = False
        self._lost: list[Callable[[Any], None]] = []

    # What asyncpg's connection offers.

    async def fetch(self, query: str, *arguments: Any) -> list[Record]:
        return [Record(row) for row in await self._run(query, arguments)]

    async def fetchrow(self, query: str, *arguments: Any) -> Record | None:
        rows = await self._run(query, arguments)
        return Record(rows[0]) if rows else None

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        rows = await self._run(query, arguments)
        return next(iter(rows[0].values())) if rows else None

    async def execute(self, query: str, *arguments: Any) -> str:
        await self._run(query, arguments)
        return "DONE"

    async def executemany(self, query: str, rows: list[tuple[Any, ...]]) -> None:
        """Sent and answered together."""
        if rows:
            await self._travel()
        for row in rows:
            await self._answer(query, row)

    def transaction(self, *, isolation: str) -> _Block:
        assert isolation == "read_committed"
        return _Block(self)

    async def add_listener(self, channel: str, heard: Callable[..., None]) -> None:
        await self._travel()
        self.listeners.setdefault(channel, []).append(heard)

    def add_termination_listener(self, lost: Callable[[Any], None]) -> None:
        self._lost.append(lost)

    async def set_type_codec(self, *_: Any, **__: Any) -> None:
        """JSON columns are values already."""

    async def close(self, timeout: float | None = None) -> None:  # noqa: ARG002
        self._end()

    def terminate(self) -> None:
        self._end()

    def is_closed(self) -> bool:
        return self._closed

    # How it breaks.

    def drop(self) -> None:
        """The connection is lost: what was not committed never happened."""
        if self._closed:
            return
        waiter = self.tx.waiter if self.tx is not None else self.waiter
        self._end()
        if waiter is not None and not waiter.done():
            waiter.set_exception(asyncpg.ConnectionDoesNotExistError(GONE))
        for lost in self._lost:
            self._sessions.loop.call_in(self.process, lost, self)

    def end_if_still(self, tx: Transaction) -> None:
        """Its process was stopped in the middle of this transaction, which is not one that waits for a lock."""
        if self._closed or self.block is not tx or self.process.stopped_until <= self._sessions.loop.time():
            return
        if tx.waiter is not None and not tx.waiter.done():
            self._sessions.loop.later(self.pause_s or 0.0, self.end_if_still, tx)
            return
        self._sessions.tell(f"ended after {self.pause_s} s without a word: a transaction of {self.process.name}")
        self.drop()

    def _end(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._sessions.open.remove(self)
        if self.tx is not None:
            self.tx.gone = True
            self._server.rollback(self.tx)
            self.tx = self.block = None
        self._server.locks.release(self)

    def reset(self) -> None:
        """Back into the pool: a transaction left open is rolled back."""
        if self.tx is not None:
            self._server.rollback(self.tx)
            self.tx = None

    async def _travel(self) -> None:
        """A message to the server and the answer take a while, and either may be lost."""
        faults, loop, name = self._sessions.faults, self._sessions.loop, self.process.name
        self._check()
        if self._sessions.points.dies_here(self.process, "before a message to the database"):
            await for_ever()
        delay = loop.random.uniform(0.0002, 0.002)
        if faults.strikes_now("slow statement", name):
            delay = faults.between("slow statement", 0.5, 8.0)
        if faults.strikes_now("process stopped at the database", name):
            self._sessions.harm.stop(self.process, "process stopped at the database")
        elif self.tx is not None and self.tx.locks and faults.strikes_now("process stopped holding locks", name):
            self._sessions.harm.stop(self.process, "process stopped holding locks")
        elif self._decides() and faults.strikes_now("process stopped in a decision", name):
            self._sessions.harm.stop(self.process, "process stopped in a decision")
        await self._sessions.loop.sleep(delay)
        if not self._closed and faults.strikes_now("connection lost", self.process.name):
            self.drop()
        self._check()

    def _decides(self) -> bool:
        """Whether its transaction has locked an experiment, and before that the jobs that it wants."""
        tx, share = self.tx, self._sessions.faults.shares["process stopped in a decision"]
        if share == 0.0 or tx is None:
            return False
        return any(isinstance(lock, tuple) and "experiments" in lock[:2] for lock in tx.locks)

    def _check(self) -> None:
        if self._closed:
            raise asyncpg.ConnectionDoesNotExistError(GONE)

    async def _run(self, query: str, arguments: tuple[Any, ...]) -> list[Row]:
        await self._travel()
        return await self._answer(query, arguments)

    async def _answer(self, query: str, arguments: tuple[Any, ...]) -> list[Row]:
        if query == LEAD:
            return [{"lead": self._lead(arguments[0])}]
        if self.tx is not None:
            if self._sessions.faults.strikes_now("deadlock reported", self.process.name):
                self.tx.failed = True
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            if query.endswith(LOCKS):
                await self._wait_before_a_lock(self.tx)
            return await self._server.run(self.tx, query, arguments)
        self.tx = tx = Transaction(self._server)
        try:
            rows = await self._server.run(tx, query, arguments)
            self._check()
            self._server.commit(tx)
        finally:
            if self.tx is tx:
                self.tx = None
            self._server.rollback(tx)
        return rows

    async def _wait_before_a_lock(self, tx: Transaction) -> None:
        faults = self._sessions.faults
        if faults.strikes_now("slow lock", self.process.name):
            await self._sessions.loop.sleep(faults.between("slow lock", 0.1, 3.0))
            self._check()
        admits, tx.admits = tx.admits, False
        if admits and faults.strikes_now("slow admission", self.process.name):
            await self._sessions.loop.sleep(faults.between("slow admission", 0.5, 4.0))
            self._check()

    def _lead(self, schema: str) -> bool:
        key = ("lead", schema)
        if self._server.locks.blockers(self, key):
            return False
        self._server.locks.take_now(self, key)
        return True

    async def commit(self) -> None:
        """Commits the open transaction; faults strike before it, after it, and where the answer is lost."""
        faults, name = self._sessions.faults, self.process.name
        if faults.strikes_now("commit fails", name):
            self.drop()
        if faults.strikes_now("slow commit", name):
            await self._sessions.loop.sleep(faults.between("slow commit", 0.02, 2.0))
        await self._travel()
        if faults.strikes_now("process killed before commit", name):
            self._sessions.harm.kill(self.process, "before commit")
            self.drop()
            await for_ever()
        tx, self.tx = self.tx, None
        if tx is None:
            raise asyncpg.ConnectionDoesNotExistError(GONE)
        self._server.commit(tx)
        if self._sessions.points.dies_here(self.process, "after a commit"):
            await for_ever()
        if faults.strikes_now("process killed after commit", name):
            self._sessions.harm.kill(self.process, "after commit")
            await for_ever()
        if faults.strikes_now("commit unheard", name):
            self.drop()
        self._check()


class _Block:
    """`async with connection.transaction()`: committed at the end, rolled back by any exception."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def __aenter__(self) -> None:
        self._session._check()
        self._session.tx = self._session.block = Transaction(self._session._server)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._session.block = None
        if kind is None:
            await self._session.commit()
        else:
            self._session.reset()


class Pool:
    """A pool of a limited number of connections."""

    def __init__(self, sessions: Sessions, size: int, settings: Mapping[str, str]) -> None:
        self._sessions = sessions
        self._settings = settings
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Session] = []
        self._closed = False

    async def acquire(self, timeout: float) -> Session:
        if self._closed:
            raise asyncpg.InterfaceError("pool is closed")
        async with asyncio.timeout(timeout):
            await self._slots.acquire()
        while self._idle:
            session = self._idle.pop()
            if not session.is_closed():
                return session
        return self._sessions.connect(self._settings)

    async def release(self, session: Session, timeout: float) -> None:  # noqa: ARG002
        session.reset()
        if not session.is_closed():
            self._idle.append(session)
        self._slots.release()

    async def close(self) -> None:
        self.terminate()

    def terminate(self) -> None:
        self._closed = True
        for session in self._idle:
            session.terminate()

"""A PostgreSQL server in memory, at READ COMMITTED: tables, transactions, locks, notifications and sessions.

Runs a service's own statements by their text, each by a function that says what the SQL says; parses no SQL.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg
from assay_schemas.envelope import Event
from pydantic_core import from_json, to_json

from simulation.database.locks import Holder, Locks, Mode

Row = dict[str, Any]
Key = Any
Statement = Callable[..., Awaitable[list[Row]]]
Change = tuple[str, Key, Row | None, Row | None]
"""A table, a key, the row before and after."""


class UnknownStatement(LookupError):
    """A service runs a statement that has no function here yet: write it in `simulation/database`."""


@dataclass(frozen=True)
class Call:
    """A statement that was run, its arguments and its rows; `alone` where nothing else was committed from the beginning
    of its transaction to the end."""

    query: str
    arguments: tuple[Any, ...]
    rows: list[Row]
    alone: bool = True


class Transaction(Holder):
    """Reads what is committed and what it wrote itself; writes take locks that are kept until its end."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server = server
        self.began_at = server.now()
        self.writes: dict[str, dict[Key, Row | None]] = {}
        self.news: list[tuple[str, str]] = []
        self.failed = False
        self.commits_before = server.commits
        self.calls: list[Call] = []
        self.held_since: dict[tuple[str, Key], datetime] = {}
        """When it got the lock on a row."""
        self.applied: list[Event] = []
        """What a handler was given within this transaction."""
        self.admits = False
        """Whether it has looked at who may begin, and is about to decide."""

    def get(self, table: str, key: Key) -> Row | None:
        own = self.writes.get(table)
        if own is not None and key in own:
            return own[key]
        return self.server.tables[table].get(key)

    def rows(self, table: str) -> Iterator[tuple[Key, Row]]:
        """Every row that this transaction sees now."""
        own = self.writes.get(table, {})
        for key, row in self.server.tables[table].items():
            if key not in own:
                yield key, row
        for key, written in own.items():
            if written is not None:
                yield key, written

    async def lock(self, table: str, key: Key, mode: Mode = "update") -> Row | None:
        """The row as it is once the lock is held; None where it is gone."""
        await self.server.locks.take(self, (table, key), mode)
        self.held_since.setdefault((table, key), self.server.now())
        return self.get(table, key)

    def is_locked(self, table: str, key: Key) -> bool:
        return bool(self.server.locks.blockers(self, (table, key)))

    def put(self, table: str, key: Key, row: Row) -> None:
        """Write a row whose lock is held, or a new one."""
        self.server.locks.take_now(self, (table, key), "no key update")
        self.writes.setdefault(table, {})[key] = row

    async def insert(self, table: str, key: Key, row: Row) -> bool:
        """Whether the row is new. Waits for another transaction that is about to add the same one."""
        if self.get(table, key) is not None:
            return False
        await self.server.locks.take(self, ("new", table, key))
        if self.get(table, key) is not None:
            return False
        self.put(table, key, row)
        return True

    async def update(self, table: str, key: Key, change: Callable[[Row], Row | None]) -> Row | None:
        """The changed row; None where there is none, or where, as it is now, it is not to be changed."""
        if self.get(table, key) is None:
            return None
        row = await self.lock(table, key, "no key update")
        changed = change(row) if row is not None else None
        if changed is not None:
            self.put(table, key, changed)
        return changed

    def delete(self, table: str, key: Key) -> None:
        self.server.locks.take_now(self, (table, key))
        self.writes.setdefault(table, {})[key] = None


class Server:
    """One schema's tables. `watchers` are told of what each commit changed, before anyone else can act on it."""

    def __init__(
        self, tables: Mapping[str, Mapping[Key, Row]], statements: Mapping[str, Statement], now: Callable[[], datetime]
    ) -> None:
        self.tables: dict[str, dict[Key, Row]] = {name: dict(rows) for name, rows in tables.items()}
        self.statements = statements
        self.now = now
        self.locks = Locks()
        self.watchers: list[Callable[[list[Change]], None]] = []
        self.notify: Callable[[str, str], None] = lambda _channel, _news: None
        self.recorded: list[list[Call]] | None = None
        """Where it is a list: the calls of each committed transaction, in the order of the commits."""
        self.commits = 0
        self.committing: Transaction | None = None
        """Whose changes watchers are told of."""
        self._sequence = 0

    def next_number(self) -> int:
        """Numbers are given out before the commit, and are lost with a rollback, as a sequence's are."""
        self._sequence += 1
        return self._sequence

    async def run(self, tx: Transaction, query: str, arguments: tuple[Any, ...]) -> list[Row]:
        if tx.failed:
            raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
        statement = self.statements.get(query)
        if statement is None:
            raise UnknownStatement(f"the simulated database does not know this statement: {query[:200]}")
        try:
            rows = await statement(tx, *arguments)
        except BaseException:
            tx.failed = True
            raise
        if self.recorded is not None:
            tx.calls.append(Call(query, arguments, rows))
        return rows

    def commit(self, tx: Transaction) -> None:
        if tx.failed:
            self.rollback(tx)
            return
        changes: list[Change] = []
        for table, written in tx.writes.items():
            rows = self.tables[table]
            for key, row in written.items():
                changes.append((table, key, rows.get(key), row))
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        changes += [("applied", (event.source, event.id), None, {"type": event.type}) for event in tx.applied]
        if self.recorded is not None and tx.calls:
            alone = tx.commits_before == self.commits
            self.recorded.append([replace(call, alone=alone) for call in tx.calls])
        if changes:
            self.commits += 1
            self.committing = tx
            for watcher in self.watchers:
                watcher(changes)
        self.locks.release(tx)
        for channel, news in dict.fromkeys(tx.news):
            self.notify(channel, news)

    def rollback(self, tx: Transaction) -> None:
        tx.writes, tx.news = {}, []
        self.locks.release(tx)


def as_json(value: Any) -> Any:
    """What a json column gives back of a value."""
    return from_json(to_json(value, inf_nan_mode="constants"))


def as_time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)

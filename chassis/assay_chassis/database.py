"""PostgreSQL through asyncpg: a pool that survives the server, transactions, and errors sorted for a retry.

Never builds SQL: statements come from a service's `queries.sql`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from pydantic import SecretStr
from pydantic_core import from_json, to_json

from assay_chassis.errors import DatabaseUnavailable
from assay_chassis.postgres_hosts import AGAIN, FAREWELL, LOST, NO_CONNECTION, Hosts
from assay_chassis.telemetry import without_secrets

CONNECT_TIMEOUT_S = 5.0
COMMAND_TIMEOUT_S = 60.0
ACQUIRE_TIMEOUT_S = 15.0
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class Database:
    """A pool of connections to one schema of one database. json and jsonb columns are Python values."""

    def __init__(self, url: str, pool: Any, session: dict[str, str], hosts: Hosts) -> None:
        self._url = url
        self._session = session
        self._hosts = hosts
        self._pool = pool
        self.schema = session["search_path"]

    @classmethod
    async def connect(
        cls, url: str | SecretStr, *, schema: str = "public", connections: int = 8, pause_s: float | None = None
    ) -> Database:
        """Open the pool, on the primary among the hosts that the URL names. Raises DatabaseUnavailable.

        After `pause_s` without a word inside a transaction PostgreSQL ends it, and its locks with it."""
        plain = url.get_secret_value() if isinstance(url, SecretStr) else url
        hosts, session = Hosts(plain), _session(schema, pause_s)
        try:
            pool = await asyncpg.create_pool(
                plain,
                connect=hosts.connect,
                min_size=1,
                max_size=connections,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings=session,
                init=_speak_json,
                reset=_leave_as_it_is,
            )
        except NO_CONNECTION as error:
            raise _explained(error, plain) from error
        return cls(plain, pool, session, hosts)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Any]:
        """A connection outside any transaction. Raises DatabaseUnavailable for what a retry may mend."""
        try:
            connection = await self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
        except (*NO_CONNECTION, asyncpg.InterfaceError) as error:
            # The interface error is "pool is closed": the service is stopping.
            raise _explained(error, self._url) from error
        try:
            yield connection
        except asyncpg.ReadOnlySQLTransactionError as error:
            # The server is no primary any more: whatever is connected to it looks for the one that is.
            await self._pool.expire_connections()
            raise _explained(error, self._url) from error
        except AGAIN as error:
            raise _explained(error, self._url) from error
        except FAREWELL as error:
            connection.terminate()
            raise _explained(error, self._url) from error
        except (asyncpg.InterfaceError, OSError, TimeoutError) as error:
            if _is_closed(connection):
                raise _explained(error, self._url) from error
            raise
        finally:
            with suppress(asyncpg.InterfaceError, *LOST):
                await asyncio.shield(self._pool.release(connection, timeout=CONNECT_TIMEOUT_S))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection inside a READ COMMITTED transaction: committed at the end, rolled back by any exception."""
        async with self.connection() as connection, connection.transaction(isolation="read_committed"):
            yield connection

    async def dedicated(self) -> Any:
        """A connection outside the pool, for locks, LISTEN and marks; the caller closes it. Raises DatabaseUnavailable.

        Its commits do not wait for the disk: a crash of the server may undo the last of them."""
        try:
            connection = await self._hosts.connect(
                self._url,
                timeout=CONNECT_TIMEOUT_S,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings={**self._session, "synchronous_commit": "off"},
            )
            await _speak_json(connection)
        except NO_CONNECTION as error:
            raise _explained(error, self._url) from error
        return connection

    async def answers(self) -> bool:
        """Whether a query works now."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S), self.connection() as connection:
                await connection.fetchval("SELECT 1")
        except (DatabaseUnavailable, TimeoutError):
            return False
        return True

    async def close(self) -> None:
        """Close the pool, by force when connections are still in use after a while."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=CONNECT_TIMEOUT_S)
        except (TimeoutError, asyncpg.InterfaceError, *LOST):
            self._pool.terminate()


def _session(schema: str, pause_s: float | None) -> dict[str, str]:
    # Disks have no heads any more, and what services read is in memory. By PostgreSQL's own figure a statement about
    # one job, which it takes for a hundred, reads a table of some thousand rows as a whole.
    plans = {"random_page_cost": "1.1"}
    # What a process that stands still has locked would stay locked until it goes on.
    limits = {} if pause_s is None else {"idle_in_transaction_session_timeout": f"{max(1, round(1e3 * pause_s))}"}
    return {"search_path": schema, "application_name": f"assay-{schema}", "timezone": "UTC", **plans, **limits}


async def _speak_json(connection: Any) -> None:
    for name, encode in (("json", _to_json), ("jsonb", _to_jsonb)):
        await connection.set_type_codec(name, encoder=encode, decoder=from_json, schema="pg_catalog")


async def _leave_as_it_is(_connection: Any) -> None:
    """Spares a round trip for each use: what a session could keep (locks, LISTEN) is for dedicated connections."""


def _to_json(value: Any) -> str:
    # What is not a number stays so, for PostgreSQL to refuse, instead of becoming null.
    return to_json(value, inf_nan_mode="constants").decode()


def _to_jsonb(value: Any) -> str:
    """JSON text may hold null characters, as what a model wrote or a job printed does; jsonb holds none."""
    text = _to_json(value)
    return _to_json(_without_nulls(from_json(text))) if r"\u0000" in text else text


def _without_nulls(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", REPLACEMENT)
    if isinstance(value, dict):
        return {_without_nulls(name): _without_nulls(item) for name, item in value.items()}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _is_closed(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        # The pool's proxy refuses every call once its connection was taken away.
        return True


def _explained(error: BaseException, url: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"PostgreSQL at {without_secrets(url)} (ASSAY_DATABASE_URL): {type(error).__name__}: {error}; it is tried again"
    )

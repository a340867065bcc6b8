"""The primary is found among a URL's hosts, and what a person mends (a full disk, a password) costs no event."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from assay_chassis import database as databases
from assay_chassis.database import Database
from assay_chassis.errors import DatabaseUnavailable
from assay_chassis.postgres_hosts import one_host_each

pytestmark = pytest.mark.real


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Takes connections and never says a word, as a machine that stands still."""
    monkeypatch.setattr(databases, "CONNECT_TIMEOUT_S", 2.0)
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener


def asked(listener: socket.socket) -> int:
    """How often the deaf one was connected to since the last look."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def with_hosts(url: str, *before: str) -> str:
    parts = urlsplit(url)
    login, _, host = parts.netloc.partition("@")
    return urlunsplit(parts._replace(netloc=f"{login}@{','.join([*before, host])}"))


def test_each_host_of_a_url_gets_one_of_its_own() -> None:
    assert one_host_each("postgresql://u:p@a:1,[::1]:2,c/d?sslmode=require") == [
        "postgresql://u:p@a:1/d?sslmode=require",
        "postgresql://u:p@[::1]:2/d?sslmode=require",
        "postgresql://u:p@c/d?sslmode=require",
    ]
    assert one_host_each("postgresql:///d?host=/run") == ["postgresql:///d?host=/run"]


async def test_a_host_that_is_away_and_one_that_stands_still_are_passed_over(
    database_url: str, deaf: socket.socket
) -> None:
    still = f"127.0.0.1:{deaf.getsockname()[1]}"
    database = await Database.connect(with_hosts(database_url, "127.0.0.1:1", still), connections=2)
    assert asked(deaf) == 1
    async with database.connection():
        assert await database.answers()
    listening = await database.dedicated()
    assert asked(deaf) == 0, "the host that served last is asked first"
    await listening.close()
    await database.close()


async def test_what_cannot_be_written_now_is_tried_again(database_url: str) -> None:
    database = await Database.connect(database_url)
    for code in ("53100", "53200", "58030", "25006"):  # disk full, out of memory, an I/O error, a standby
        with pytest.raises(DatabaseUnavailable):
            async with database.transaction() as connection:
                await connection.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}'; END $$")
    await database.close()


async def write_where_nothing_can_be_written(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("SET TRANSACTION READ ONLY")
        await connection.execute("CREATE TABLE never (n integer)")


async def test_a_server_that_became_read_only_is_left_for_the_primary(database_url: str) -> None:
    database = await Database.connect(database_url, connections=1)
    async with database.connection() as connection:
        before = connection.get_server_pid()
    with pytest.raises(DatabaseUnavailable):
        await write_where_nothing_can_be_written(database)
    async with database.connection() as connection:
        assert connection.get_server_pid() != before
    await database.close()


@asynccontextmanager
async def without_ends(url: str) -> AsyncIterator[str]:
    """The URL of a way to the server on which its last words arrive, and never the end of the stream."""
    parts = urlsplit(url)

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while block := await reader.read(65536):
            writer.write(block)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(forward(reader, far_writer), forward(far_reader, writer))
        writer.close()
        far_writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    login, port = parts.netloc.rpartition("@")[0], server.sockets[0].getsockname()[1]
    yield urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))
    server.close()


async def test_a_connection_that_the_server_said_farewell_to_is_left_though_it_is_open(database_url: str) -> None:
    async with without_ends(database_url) as url:
        database = await Database.connect(url, connections=1)
        async with database.connection() as connection:
            ended = connection.get_server_pid()
        admin = await asyncpg.connect(database_url)
        await admin.execute("SELECT pg_terminate_backend($1)", ended)
        await asyncio.sleep(0.2)
        with pytest.raises(DatabaseUnavailable, match="it is tried again"):
            async with database.transaction() as connection:
                await connection.execute("SELECT 1")
        async with database.transaction() as connection:
            assert connection.get_server_pid() != ended
        await admin.close()
        await database.close()


async def test_a_password_that_was_changed_is_waited_for(database_url: str) -> None:
    """Both the pool and the relay's own connection: nothing that waits becomes a dead letter."""
    admin = await asyncpg.connect(database_url)
    await admin.execute("DROP ROLE IF EXISTS changing")
    await admin.execute("CREATE ROLE changing LOGIN SUPERUSER PASSWORD 'old'")
    parts = urlsplit(database_url)
    url = urlunsplit(parts._replace(netloc=f"changing:old@{parts.hostname}:{parts.port}"))
    database = await Database.connect(url, connections=1)
    await admin.execute("ALTER ROLE changing PASSWORD 'new'")
    await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'changing'")
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            async with database.transaction() as connection:
                await connection.execute("SELECT 1")
    with pytest.raises(DatabaseUnavailable):
        await database.dedicated()
    await admin.execute("ALTER ROLE changing PASSWORD 'old'")
    assert await database.answers()
    await database.close()
    await admin.close()

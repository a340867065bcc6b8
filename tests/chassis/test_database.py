"""The database: transactions, lost servers, migrations and named statements."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest
from assay_chassis.database import Database
from assay_chassis.errors import DatabaseUnavailable, Misconfigured
from assay_chassis.migrations import migrate, migrations_of
from assay_chassis.queries import Queries
from assay_local.component import Running, running
from assay_local.postgres import PostgresServer
from assay_local.testing import fresh_database

pytestmark = pytest.mark.real


async def connect(url: str) -> Database:
    database = await Database.connect(url, schema="scheduler", connections=4)
    await migrate(database, "assay_chassis")
    return database


async def write_while_the_server_is_killed(database: Database, process: Running) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO inbox (source, id) VALUES ('s', 'lost')")
        await asyncio.to_thread(process.kill)
        async with asyncio.timeout(20):
            while True:  # a server's child may answer for a moment after its parent has died
                await connection.execute("SELECT 1")


async def write_after_a_pause(database: Database, other: Database) -> None:
    async with database.transaction() as still:
        await still.execute("LOCK TABLE inbox")
        async with other.transaction() as waiting:
            await waiting.execute("LOCK TABLE inbox")
        await still.execute("INSERT INTO inbox (source, id) VALUES ('s', 'i')")


async def test_a_transaction_is_undone_by_an_exception(database_url: str) -> None:
    database = await connect(database_url)
    with suppress(KeyError):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO inbox (source, id) VALUES ('s', 'i')")
            raise KeyError("undo")
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM inbox") == 0
    await database.close()


async def test_json_columns_are_python_values_and_keep_every_character(database_url: str) -> None:
    database = await connect(database_url)
    value = {"log": "bell \u0007 nul \u0000 snow ☃", "n": [1, 2.5, None]}
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT $1::json", value) == value
    await database.close()


async def test_a_null_character_in_a_value_that_is_searched_is_replaced(database_url: str) -> None:
    database = await connect(database_url)
    value = {"log": "printed \x00 here", "kept": "a backslash, \\u0000", "n\x00": [{"deep": "\x00"}]}
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == {
            "log": "printed � here",
            "kept": "a backslash, \\u0000",
            "n�": [{"deep": "�"}],
        }
    await database.close()


async def test_two_processes_may_migrate_at_once(database_url: str) -> None:
    databases = [await Database.connect(database_url, schema="reporter") for _ in range(3)]
    applied = await asyncio.gather(*(migrate(database, "assay_chassis") for database in databases))
    assert sorted(applied) == [0, 0, len(migrations_of("assay_chassis"))]
    for database in databases:
        await database.close()


async def test_a_migration_changed_after_it_was_applied_is_refused(database_url: str) -> None:
    database = await connect(database_url)
    async with database.connection() as connection:
        await connection.execute("UPDATE schema_migrations SET sha256 = 'other'")
    with pytest.raises(Misconfigured, match="add a new file"):
        await migrate(database, "assay_chassis")
    await database.close()


async def test_an_oserror_of_a_handler_is_not_taken_for_a_lost_database(database_url: str) -> None:
    database = await connect(database_url)
    with pytest.raises(FileNotFoundError):
        async with database.transaction():
            Path("/does/not/exist").read_text()
    await database.close()


async def test_a_transaction_that_stands_still_gives_up_its_locks(database_url: str) -> None:
    other = await connect(database_url)
    database = await Database.connect(database_url, schema="scheduler", pause_s=0.2)
    with pytest.raises(DatabaseUnavailable, match="it is tried again"):
        await write_after_a_pause(database, other)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM inbox") == 0
    await database.close()
    await other.close()


async def test_a_server_that_is_not_there_is_a_transient_error_without_the_password() -> None:
    with pytest.raises(DatabaseUnavailable) as caught:
        await Database.connect("postgresql://assay:hunter2@127.0.0.1:1/assay")
    assert "hunter2" not in str(caught.value)


async def test_the_pool_reconnects_after_the_server_was_killed(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "postgres", settings={"fsync": "off"})
    with running(server) as process, fresh_database(server.url) as url:
        database = await connect(url)
        with pytest.raises(DatabaseUnavailable):
            await write_while_the_server_is_killed(database, process)
        assert not await database.answers()
        await asyncio.to_thread(process.start)
        async with asyncio.timeout(20):
            while not await database.answers():
                await asyncio.sleep(0.1)
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT count(*) FROM inbox") == 0
        await database.close()


def test_a_statement_is_found_by_its_name() -> None:
    queries = Queries.parse("-- name: one\nSELECT 1\n\n-- name: two\nSELECT 2;\n", "test.sql")
    assert (queries.one, queries.two) == ("SELECT 1", "SELECT 2;")
    with pytest.raises(AttributeError, match="known: one, two"):
        _ = queries.three


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(Misconfigured, match="twice"):
        Queries.parse("-- name: one\nSELECT 1\n-- name: one\nSELECT 2", "test.sql")

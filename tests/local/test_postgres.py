"""PostgreSQL as the embedded system starts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from assay_local.component import Running, running
from assay_local.postgres import PostgresServer

pytestmark = pytest.mark.real


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[PostgresServer, Running]]:
    """A server that this test alone may kill."""
    server = PostgresServer(tmp_path / "postgres")
    with running(server) as process:
        yield server, process


async def fetch(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_killed_server_comes_back_at_the_same_address_with_what_was_committed(
    own_server: tuple[PostgresServer, Running],
) -> None:
    server, process = own_server
    address = server.url
    await fetch(address, "CREATE TABLE kept AS SELECT 7 AS number")
    process.kill()
    process.start()
    assert server.url == address
    assert await fetch(address, "SELECT number FROM kept") == 7


async def test_a_connection_without_the_password_is_refused(postgres_server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_server.url, password="guess")


def test_the_password_is_for_its_owner_alone(postgres_server: PostgresServer) -> None:
    assert (postgres_server.folder / "password").stat().st_mode & 0o077 == 0


async def test_each_test_has_an_empty_database_of_its_own(database_url: str) -> None:
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert await fetch(database_url, tables) == 0
    await fetch(database_url, "CREATE TABLE only_here ()")
    assert await fetch(database_url, tables) == 1


async def test_each_test_has_an_empty_database_of_its_own_also_after_another(database_url: str) -> None:
    await test_each_test_has_an_empty_database_of_its_own(database_url)

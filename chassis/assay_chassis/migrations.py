"""Numbered SQL files of a package, applied once each and in order, by one process at a time.

Never goes back, and never applies a file whose text changed after it was applied.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from importlib import resources
from typing import Any

from assay_schemas.canonical import sha256_hex

from assay_chassis.database import Database
from assay_chassis.errors import Misconfigured

_FILE = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('assay.migrate.' || $1, 0))"
_SCHEMA_EXISTS = "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)"
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    package text NOT NULL, number integer NOT NULL, name text NOT NULL, sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (package, number)
)"""


@dataclass(frozen=True)
class Migration:
    """One file `NNNN_what_it_does.sql`."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return sha256_hex(self.sql.encode())


def migrations_of(package: str) -> list[Migration]:
    """The files in `<package>/migrations`, by number. Raises Misconfigured for two of one number."""
    found = []
    for file in (resources.files(package) / "migrations").iterdir():
        match = _FILE.match(file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, file.read_text(encoding="utf-8")))
    found.sort(key=lambda migration: migration.number)
    for one, other in itertools.pairwise(found):
        if one.number == other.number:
            raise Misconfigured(f"{package}/migrations: {one.name} and {other.name} have one number; renumber one")
    return found


async def migrate(database: Database, *packages: str) -> int:
    """Bring the database's schema up to date with each package in turn; how many files were applied."""
    applied = 0
    async with database.transaction() as connection:
        await connection.execute(_LOCK, database.schema)
        # Asked first: PostgreSQL wants the right to make schemas even where IF NOT EXISTS finds one.
        if not await connection.fetchval(_SCHEMA_EXISTS, database.schema):
            await connection.execute(f'CREATE SCHEMA "{database.schema}"')
        await connection.execute(_TABLE)
        for package in packages:
            applied += await _apply(connection, package)
    return applied


async def _apply(connection: Any, package: str) -> int:
    rows = await connection.fetch("SELECT number, sha256 FROM schema_migrations WHERE package = $1", package)
    done = {row["number"]: row["sha256"] for row in rows}
    count = 0
    for migration in migrations_of(package):
        if migration.number in done:
            if done[migration.number] != migration.sha256:
                raise Misconfigured(f"{package}: {migration.name} was changed after it was applied; add a new file")
            continue
        await connection.execute(migration.sql)
        await connection.execute(
            "INSERT INTO schema_migrations (package, number, name, sha256) VALUES ($1, $2, $3, $4)",
            package, migration.number, migration.name, migration.sha256,
        )  # fmt: skip
        count += 1
    return count

"""Intake's memory of what it found out, in PostgreSQL."""

from __future__ import annotations

from typing import Any

from assay_chassis.app import ServiceApp

from assay_scheduler.store import QUERIES

MOST_REMEMBERED = 1000


class DatabaseCache:
    """What this process asked for before is not asked for again: a key names its finding for good."""

    def __init__(self, app: ServiceApp) -> None:
        self._app = app
        self._remembered: dict[str, dict[str, Any]] = {}

    async def get(self, key: str) -> dict[str, Any] | None:
        if key in self._remembered:
            return self._remembered[key]
        async with self._app.database.connection() as connection:
            finding: dict[str, Any] | None = await connection.fetchval(QUERIES.get_finding, key)
        if finding is not None:
            self._remember(key, finding)
        return finding

    async def put(self, key: str, finding: dict[str, Any]) -> None:
        async with self._app.database.connection() as connection:
            await connection.execute(QUERIES.put_finding, key, finding)
        self._remember(key, finding)

    def _remember(self, key: str, finding: dict[str, Any]) -> None:
        if len(self._remembered) >= MOST_REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = finding

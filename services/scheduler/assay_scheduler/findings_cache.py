"""Intake's memory of what it found out, in PostgreSQL."""

from __future__ import annotations

from typing import Any

from assay_chassis.app import ServiceApp

from assay_scheduler.store import QUERIES


class DatabaseCache:
    def __init__(self, app: ServiceApp) -> None:
        self._app = app

    async def get(self, key: str) -> dict[str, Any] | None:
        async with self._app.database.connection() as connection:
            finding: dict[str, Any] | None = await connection.fetchval(QUERIES.get_finding, key)
        return finding

    async def put(self, key: str, finding: dict[str, Any]) -> None:
        async with self._app.database.connection() as connection:
            await connection.execute(QUERIES.put_finding, key, finding)

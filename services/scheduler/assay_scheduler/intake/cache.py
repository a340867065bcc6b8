"""What intake found out before, by the identity of the files it looked at.

A memory only: losing it costs time, never a result.
"""

from __future__ import annotations

from typing import Any, Protocol


class FindingCache(Protocol):
    async def get(self, key: str) -> dict[str, Any] | None: ...

    async def put(self, key: str, finding: dict[str, Any]) -> None: ...


class MemoryCache:
    """A cache for tests and for a dry run without a database."""

    def __init__(self) -> None:
        self.findings: dict[str, dict[str, Any]] = {}

    async def get(self, key: str) -> dict[str, Any] | None:
        return self.findings.get(key)

    async def put(self, key: str, finding: dict[str, Any]) -> None:
        self.findings[key] = finding

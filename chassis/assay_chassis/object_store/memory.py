"""Objects in a dictionary, for tests and simulations.
Never outlives its process."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from assay_chassis.object_store.base import ObjectStat
from assay_chassis.object_store.common import CommonStore
from assay_chassis.object_store.digests import sha256_of_bytes
from assay_chassis.object_store.errors import ObjectNotFound, ObjectTooLarge


class MemoryStore(CommonStore):
    """A store at `memory://<name>`; `objects` is its content by key."""

    def __init__(self, root: str = "memory://store") -> None:
        super().__init__(root)
        self.objects: dict[str, bytes] = {}

    async def _write(self, key: str, data: bytes, _sha256: str, _media_type: str, /) -> None:
        self.objects[key] = data

    async def _upload(self, key: str, path: Path, _media_type: str, /) -> tuple[str, int]:
        data = await asyncio.to_thread(path.read_bytes)
        self.objects[key] = data
        return sha256_of_bytes(data), len(data)

    async def _read(self, key: str, max_bytes: int) -> bytes:
        data = self._object(key)
        if len(data) > max_bytes:
            raise ObjectTooLarge(self._uri(key), len(data), max_bytes)
        return data

    async def _download(self, key: str, path: Path) -> tuple[str, int]:
        data = self._object(key)
        await asyncio.to_thread(path.write_bytes, data)
        return sha256_of_bytes(data), len(data)

    async def _stat(self, key: str) -> ObjectStat:
        data = self._object(key)
        return ObjectStat(self._uri(key), len(data), sha256_of_bytes(data))

    async def _list(self, folder: str) -> Sequence[ObjectStat]:
        keys = sorted(key for key in self.objects if not folder or key.startswith(folder + "/"))
        return [ObjectStat(self._uri(key), len(self.objects[key]), None) for key in keys]

    async def _delete(self, keys: list[str]) -> None:
        for key in keys:
            self.objects.pop(key, None)

    def _object(self, key: str) -> bytes:
        if key not in self.objects:
            raise ObjectNotFound(self._uri(key))
        return self.objects[key]

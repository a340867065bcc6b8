"""The object store for code without an event loop: the processes that do jobs.
Never runs inside an event loop; services use the store itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

from assay_schemas.artifacts import ArtifactRef

from assay_chassis.object_store.base import MAX_BYTES_IN_MEMORY, ObjectStat, ObjectStore, Tree
from assay_chassis.object_store.opening import open_store
from assay_chassis.object_store.settings import StoreSettings

Result = TypeVar("Result")


class SyncObjectStore:
    """An ObjectStore whose calls block; it runs a loop of its own in one thread. Close it after use."""

    def __init__(self, where: ObjectStore | StoreSettings | str, settings: StoreSettings | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="object-store", daemon=True)
        self._thread.start()
        self.store = open_store(where, settings) if isinstance(where, StoreSettings | str) else where
        self.root = self.store.root

    def _wait(self, call: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def uri(self, key: str) -> str:
        return self.store.uri(key)

    def put_bytes(self, key: str, data: bytes, *, media_type: str | None = None) -> ArtifactRef:
        return self._wait(self.store.put_bytes(key, data, media_type=media_type))

    def put_file(self, key: str, path: Path, *, media_type: str | None = None) -> ArtifactRef:
        return self._wait(self.store.put_file(key, path, media_type=media_type))

    def put_tree(self, prefix: str, folder: Path) -> Tree:
        return self._wait(self.store.put_tree(prefix, folder))

    def get_bytes(self, source: str | ArtifactRef, *, max_bytes: int = MAX_BYTES_IN_MEMORY) -> bytes:
        return self._wait(self.store.get_bytes(source, max_bytes=max_bytes))

    def get_file(self, source: str | ArtifactRef, path: Path) -> Path:
        return self._wait(self.store.get_file(source, path))

    def get_tree(self, source: str | Tree, folder: Path) -> Path:
        return self._wait(self.store.get_tree(source, folder))

    def exists(self, key: str) -> bool:
        return self._wait(self.store.exists(key))

    def stat(self, key: str) -> ObjectStat:
        return self._wait(self.store.stat(key))

    def list(self, prefix: str = "") -> list[ObjectStat]:
        async def collect() -> list[ObjectStat]:
            return [entry async for entry in self.store.list(prefix)]

        return self._wait(collect())

    def delete_prefix(self, prefix: str) -> int:
        return self._wait(self.store.delete_prefix(prefix))

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._wait(self.store.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

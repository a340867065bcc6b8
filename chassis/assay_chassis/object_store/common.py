"""What every object store does the same way: keys, retries, checks and whole folders.
Never moves a byte itself; each store brings the six operations that do."""

from __future__ import annotations

import uuid
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Self

from assay_schemas.artifacts import ArtifactRef

from assay_chassis.object_store.base import MAX_BYTES_IN_MEMORY, ObjectStat, Tree
from assay_chassis.object_store.digests import sha256_of_bytes
from assay_chassis.object_store.errors import ObjectDamaged, ObjectNotFound, TryAgain
from assay_chassis.object_store.keys import check_key
from assay_chassis.object_store.retry import RetryPolicy, with_retries
from assay_chassis.object_store.trees import get_tree, put_tree

DEFAULT_MEDIA_TYPE = "application/octet-stream"


class CommonStore(ABC):
    """An ObjectStore in terms of six primitive operations, each one try on a checked key.

    Primitives raise a final ObjectStoreError, or TryAgain to be tried again."""

    def __init__(self, root: str, retries: RetryPolicy | None = None) -> None:
        self.root = root.rstrip("/")
        self._retries = retries or RetryPolicy()

    @abstractmethod
    async def _write(self, key: str, data: bytes, sha256: str, media_type: str, /) -> None: ...

    @abstractmethod
    async def _upload(self, key: str, path: Path, media_type: str, /) -> tuple[str, int]: ...

    @abstractmethod
    async def _read(self, key: str, max_bytes: int) -> bytes: ...

    @abstractmethod
    async def _download(self, key: str, path: Path) -> tuple[str, int]: ...

    @abstractmethod
    async def _stat(self, key: str) -> ObjectStat: ...

    @abstractmethod
    async def _delete(self, keys: list[str]) -> None: ...

    @abstractmethod
    async def _list(self, folder: str) -> Sequence[ObjectStat]:
        """Every object under the folder ("" is all), ordered by key."""

    async def aclose(self) -> None:
        """Close the store's connections; the next call opens them again."""
        await self._close()

    async def _close(self) -> None:  # noqa: B027  most stores hold nothing open
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def uri(self, key: str) -> str:
        return self._uri(self.key(key))

    def key(self, uri: str) -> str:
        inside = uri.removeprefix(self.root + "/")
        return check_key(inside if inside == uri else self._key_in(inside))

    def _uri(self, key: str) -> str:
        return f"{self.root}/{key}"

    def _key_in(self, uri: str) -> str:
        return uri

    async def put_bytes(self, key: str, data: bytes, *, media_type: str | None = None) -> ArtifactRef:
        key, sha256, kind = self.key(key), sha256_of_bytes(data), media_type or DEFAULT_MEDIA_TYPE
        await with_retries(self._retries, lambda: self._write(key, data, sha256, kind))
        return ArtifactRef(uri=self.uri(key), sha256=sha256, size=len(data), media_type=kind)

    async def put_file(self, key: str, path: Path, *, media_type: str | None = None) -> ArtifactRef:
        key, kind = self.key(key), media_type or DEFAULT_MEDIA_TYPE
        sha256, size = await with_retries(self._retries, lambda: self._upload(key, path, kind))
        return ArtifactRef(uri=self.uri(key), sha256=sha256, size=size, media_type=kind)

    async def get_bytes(self, source: str | ArtifactRef, *, max_bytes: int = MAX_BYTES_IN_MEMORY) -> bytes:
        key = self.key(_uri_of(source))

        async def read() -> bytes:
            data = await self._read(key, max_bytes)
            _check(source, len(data), sha256_of_bytes(data))
            return data

        return await with_retries(self._retries, read)

    async def get_file(self, source: str | ArtifactRef, path: Path) -> Path:
        key = self.key(_uri_of(source))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}")

        async def read() -> None:
            sha256, size = await self._download(key, partial)
            _check(source, size, sha256)

        try:
            await with_retries(self._retries, read)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    async def put_tree(self, prefix: str, folder: Path) -> Tree:
        return await put_tree(self, self.key(prefix), folder)

    async def get_tree(self, source: str | Tree, folder: Path) -> Path:
        return await get_tree(self, source, folder)

    async def exists(self, key: str) -> bool:
        try:
            await self.stat(key)
        except ObjectNotFound:
            return False
        return True

    async def stat(self, key: str) -> ObjectStat:
        key = self.key(key)
        return await with_retries(self._retries, lambda: self._stat(key))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectStat]:
        folder = self.key(prefix.rstrip("/")) if prefix.rstrip("/") not in ("", self.root) else ""
        for found in await with_retries(self._retries, lambda: self._list(folder)):
            yield found

    async def delete_prefix(self, prefix: str) -> int:
        folder = self.key(prefix.rstrip("/"))
        entries = await with_retries(self._retries, lambda: self._list(folder))
        found = [self.key(entry.uri) for entry in entries]
        if found:
            await with_retries(self._retries, lambda: self._delete(found))
        return len(found)


def _uri_of(source: str | ArtifactRef) -> str:
    return source if isinstance(source, str) else source.uri


def _check(source: str | ArtifactRef, size: int, sha256: str) -> None:
    """Damage may be a truncated answer, so it is worth reading again."""
    if isinstance(source, str) or (source.size, source.sha256) == (size, sha256):
        return
    expected = f"{source.size} bytes with sha256 {source.sha256}"
    raise TryAgain(ObjectDamaged(source.uri, expected, f"{size} bytes with sha256 {sha256}"))

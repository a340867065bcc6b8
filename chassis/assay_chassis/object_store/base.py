"""What an object store is: immutable objects under a root URI, with their size and sha256.
Never holds an open connection itself; the stores beside it do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from assay_schemas.artifacts import ArtifactRef

MAX_BYTES_IN_MEMORY = 64 * 2**20


@dataclass(frozen=True)
class ObjectStat:
    """An object's size in bytes, and its sha256 where the store keeps it."""

    uri: str
    size: int
    sha256: str | None


@dataclass(frozen=True)
class Tree:
    """A folder of objects. `sha256` is over the sorted lines "<path> <sha256>" of its files."""

    uri: str
    sha256: str
    size: int
    files: tuple[ArtifactRef, ...]


class ObjectStore(Protocol):
    """Objects by key under `root`. Wherever a key is asked for, a URI under `root` will do too.

    Writes are atomic: a reader sees the whole object or none. Reads that are given an ArtifactRef
    check size and sha256, and try again when bytes are missing.
    Every call raises KeyRefused, StoreUnavailable, and reads ObjectNotFound, ObjectDamaged.
    """

    root: str

    def uri(self, key: str) -> str:
        """The URI of a key."""
        ...

    def key(self, uri: str) -> str:
        """The key of a URI under `root`; a key stays as it is. Raises KeyRefused for other URIs."""
        ...

    async def put_bytes(self, key: str, data: bytes, *, media_type: str | None = None) -> ArtifactRef: ...

    async def put_file(self, key: str, path: Path, *, media_type: str | None = None) -> ArtifactRef: ...

    async def put_tree(self, prefix: str, folder: Path) -> Tree: ...

    async def get_bytes(self, source: str | ArtifactRef, *, max_bytes: int = MAX_BYTES_IN_MEMORY) -> bytes:
        """The whole object. Raises ObjectTooLarge before reading more than `max_bytes`."""
        ...

    async def get_file(self, source: str | ArtifactRef, path: Path) -> Path: ...

    async def get_tree(self, source: str | Tree, folder: Path) -> Path:
        """Every object under a prefix, into `folder`. Raises ObjectNotFound when there is none."""
        ...

    async def exists(self, key: str) -> bool: ...

    async def stat(self, key: str) -> ObjectStat: ...

    def list(self, prefix: str = "") -> AsyncIterator[ObjectStat]:
        """Objects whose key is under the folder `prefix`, ordered by key; sha256 is not given."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Delete every object under the folder `prefix`; how many there were."""
        ...

    async def aclose(self) -> None: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exception: object) -> None: ...

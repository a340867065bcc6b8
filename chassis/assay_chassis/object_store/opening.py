"""From a setting to the store it names.
Never connects: a store does that with its first call."""

from __future__ import annotations

from pathlib import Path

from assay_chassis.object_store.common import CommonStore
from assay_chassis.object_store.errors import UriRefused
from assay_chassis.object_store.files import FileStore
from assay_chassis.object_store.keys import path_of_file_uri
from assay_chassis.object_store.memory import MemoryStore
from assay_chassis.object_store.settings import StoreSettings


def open_store(where: StoreSettings | str, settings: StoreSettings | None = None) -> CommonStore:
    """The store at a root URI or plain path; `settings` give the S3 endpoint and credentials.

    Raises UriRefused for a scheme that is not file, s3 or memory."""
    if isinstance(where, StoreSettings):
        return open_store(where.object_store, where)
    scheme, separator, rest = where.partition("://")
    if not separator:
        return FileStore(Path(where).absolute())
    if scheme == "file":
        return FileStore(path_of_file_uri(where))
    if scheme == "memory":
        return MemoryStore(where)
    if scheme == "s3" and rest.strip("/"):
        from assay_chassis.object_store.s3 import S3Store

        return S3Store(where, settings or StoreSettings())
    raise UriRefused(where, "unknown scheme" if scheme != "s3" else "names no bucket")

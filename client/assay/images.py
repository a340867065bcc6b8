"""Images that rows name on this machine: put into the object store by their content, so that rows hold anywhere.

Knows images by how their bytes begin; never decodes one. What is on no file here is left for the system to read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assay_schemas.images import image_key, is_image_column, kind_of_image

from assay.errors import AssayError
from assay.store import Store

MAX_IMAGE_BYTES = 32 * 2**20
DATA_URI = "data:"
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp"})


def with_images(rows: Iterable[Mapping[str, Any]], folder: Path, store: Store) -> list[dict[str, Any]]:
    """The rows with every image of this machine as the key that the object store has it at, written once each.

    An image is a path from `folder` or a whole one, a data URI, bytes, or `{bytes, path}` as Parquet files of the Hub
    have them, in the columns `image`, `images`, `image_1` to `image_9`. Raises AssayError, which names the row and the
    column.
    """
    kept = _Kept(folder, store)
    return [
        {
            column: kept.column(f"Row {number} has in {column!r}", value) if is_image_column(column) else value
            for column, value in row.items()
        }
        for number, row in enumerate(rows, start=1)
    ]


class _Kept:
    """What was written already: by path and by key."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder = folder
        self._store = store
        self._by_path: dict[Path, str] = {}
        self._keys: set[str] = set()

    def column(self, where: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._image(where, one) for one in value]
        return self._image(where, value)

    def _image(self, where: str, value: Any) -> Any:
        if isinstance(value, Mapping) and value.keys() & {"bytes", "path"}:
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return self._keep(where, value)
        if isinstance(value, str) and value.startswith(DATA_URI):
            return self._keep(where, _of_data_uri(where, value))
        return self._named(where, value) if isinstance(value, str) else value

    def _named(self, where: str, value: str) -> str:
        """The key of a file's image; a text that names no file here stays, unless only an image is called so."""
        path = self._folder / Path(value.removeprefix("file://"))
        if "\x00" in value or len(value) > 4096 or "://" in value.removeprefix("file://") or not path.is_file():
            if path.suffix.lower() in SUFFIXES and ":" not in value and not value.startswith("images/"):
                raise AssayError(f"{where} {value}, and there is no such file. Paths start from the rows' own folder.")
            return value
        if path not in self._by_path:
            if path.stat().st_size > MAX_IMAGE_BYTES:
                raise AssayError(f"{where} {value}, which is over {MAX_IMAGE_BYTES // 2**20} MiB. Make it smaller.")
            self._by_path[path] = self._keep(f"{where} {value},", path.read_bytes())
        return self._by_path[path]

    def _keep(self, where: str, data: bytes) -> str:
        kind = kind_of_image(data)
        if kind is None:
            raise AssayError(f"{where} which is not PNG, JPEG, GIF or WebP. Convert it, or leave the row out.")
        if len(data) > MAX_IMAGE_BYTES:
            raise AssayError(f"{where} an image over {MAX_IMAGE_BYTES // 2**20} MiB. Make it smaller.")
        key = image_key(hashlib.sha256(data).hexdigest(), kind)
        if key not in self._keys:
            self._store.write(key, data)
            self._keys.add(key)
        return key


def _of_data_uri(where: str, value: str) -> bytes:
    head, _, data = value.partition(",")
    if head.endswith(";base64"):
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error:
            pass
    raise AssayError(f"{where} a data URI that is not base64. Write data:image/png;base64, and the bytes.")

"""Takes the images of benchmark items in: rows then name them by their content, and the object store keeps them.

Knows images by how their bytes begin; never decodes one, and reads no file that the scheduler may not read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assay_schemas.images import image_key, is_image_column, is_image_key, kind_of_image

from assay_scheduler.intake.unusable import Unusable

MAX_IMAGE_BYTES = 32 * 2**20
DATA_URI = "data:"
KINDS = "PNG, JPEG, GIF or WebP"


class ImageIntake:
    """Keeps the images of rows under `folder`, each once. `read` gives a named file's bytes, or raises Unusable."""

    def __init__(self, folder: Path, read: Callable[[str], bytes]) -> None:
        self._folder = folder
        self._read = read
        self._known: dict[str, str] = {}
        self.kept: dict[str, Path] = {}

    def row(self, where: str, row: Mapping[str, Any], beside: str) -> dict[str, Any]:
        """The row with every image as the key it is kept at; `beside` is the folder that relative paths start from.

        Raises Unusable, which names the row and the column.
        """
        return {
            column: self._column(f"{where} has in {column!r}", value, beside) if is_image_column(column) else value
            for column, value in row.items()
        }

    def _column(self, where: str, value: Any, beside: str) -> Any:
        if isinstance(value, list):
            return [self._image(where, one, beside) for one in value]
        return None if value is None else self._image(where, value, beside)

    def _image(self, where: str, value: Any, beside: str) -> str:
        """The key of one image: bytes, bytes or a path as the Parquet files of the Hub have them, a path or a URI."""
        if isinstance(value, Mapping):
            value = value.get("bytes") or value.get("path")
        if isinstance(value, bytes):
            return self._keep(where, value)
        if is_image_key(value):
            return str(value)
        if not isinstance(value, str) or not value.strip():
            raise Unusable(f"{where} no image.", "Give a path, a URI, or the image's bytes in Parquet.")
        if value.startswith(DATA_URI):
            return self._keep(where, _of_data_uri(where, value))
        if value.startswith(("http://", "https://")):
            raise Unusable(f"{where} a web address.", "Fetch the image and name its file: addresses change.")
        place = value if value.startswith("/") or "://" in value else f"{beside}/{value}"
        if place not in self._known:
            try:
                self._known[place] = self._keep(where, self._read(place))
            except Unusable as error:
                raise Unusable(f"{where} an image that cannot be had: {error}", error.mend) from error
        return self._known[place]

    def _keep(self, where: str, data: bytes) -> str:
        kind = kind_of_image(data)
        if kind is None:
            raise Unusable(f"{where} something that is not {KINDS}.", "Convert the image, or leave the row out.")
        if len(data) > MAX_IMAGE_BYTES:
            raise Unusable(f"{where} an image over {MAX_IMAGE_BYTES // 2**20} MiB.", "Make it smaller.")
        key = image_key(hashlib.sha256(data).hexdigest(), kind)
        if key not in self.kept:
            path = self._folder / key.rpartition("/")[2]
            path.write_bytes(data)
            self.kept[key] = path
        return key


def _of_data_uri(where: str, value: str) -> bytes:
    head, comma, body = value.partition(",")
    try:
        if comma and head.endswith(";base64"):
            return base64.b64decode(body, validate=True)
    except binascii.Error:
        pass
    raise Unusable(f"{where} a data URI that is not base64.", "Write data:image/png;base64, and the bytes.")

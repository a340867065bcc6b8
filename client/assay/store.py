"""The object store as the client sees it: small reads and writes by URI, through Arrow's file systems.

Never lists or deletes; keys are those of `assay_schemas.artifacts`.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pyarrow.fs
import pyarrow.parquet
from assay_schemas.artifacts import ArtifactRef

from assay.errors import AssayError, NotFound
from assay.settings import ClientSettings


class Store:
    """Objects below the system's store URI; `uri` arguments are whole URIs, `key` arguments relative to it."""

    def __init__(self, settings: ClientSettings) -> None:
        self.root = settings.object_store.rstrip("/")
        self._settings = settings

    def uri(self, key: str) -> str:
        return f"{self.root}/{key}"

    @property
    def is_local(self) -> bool:
        return self.root.startswith("file://")

    def read(self, uri: str) -> bytes:
        """An object's bytes. Raises NotFound."""
        filesystem, path = self._open(uri)
        try:
            with filesystem.open_input_stream(path) as stream:
                return bytes(stream.read())
        except FileNotFoundError as error:
            raise NotFound(f"{uri} is not in the object store.") from error

    def read_ref(self, ref: ArtifactRef) -> bytes:
        """A referenced object's bytes. Raises AssayError when they are not what the reference says."""
        data = self.read(ref.uri)
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise AssayError(f"{ref.uri} was changed: its SHA-256 is not the one that was published.")
        return data

    def read_table(self, ref: ArtifactRef) -> Any:
        """A referenced Parquet file as an Arrow table."""
        return pyarrow.parquet.read_table(io.BytesIO(self.read_ref(ref)))

    def write(self, key: str, data: bytes) -> str:
        """Writes an object that must not be seen half-written, and returns its URI."""
        filesystem, path = self._open(self.uri(key))
        if self.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            partial = f"{path}.{hashlib.sha256(data).hexdigest()[:12]}.part"
            Path(partial).write_bytes(data)
            Path(partial).replace(path)
        else:
            with filesystem.open_output_stream(path) as stream:
                stream.write(data)
        return self.uri(key)

    def exists(self, key: str) -> bool:
        filesystem, path = self._open(self.uri(key))
        return bool(filesystem.get_file_info(path).type != pyarrow.fs.FileType.NotFound)

    def _open(self, uri: str) -> tuple[Any, str]:
        if uri.startswith("file://"):
            return pyarrow.fs.LocalFileSystem(), uri.removeprefix("file://")
        if not uri.startswith("s3://"):
            raise AssayError(f"{uri} is neither file:// nor s3://; set ASSAY_OBJECT_STORE to one of them.")
        options: dict[str, Any] = {}
        if self._settings.s3_endpoint_url:
            scheme, _, host = self._settings.s3_endpoint_url.rpartition("://")
            options |= {"endpoint_override": host, "scheme": scheme or "https"}
        if self._settings.s3_access_key_id:
            options["access_key"] = self._settings.s3_access_key_id
            options["secret_key"] = self._settings.s3_secret_access_key.get_secret_value()
        return pyarrow.fs.S3FileSystem(**options), uri.removeprefix("s3://")

"""The object store as the client sees it: small reads and writes by URI, of files or through Arrow's S3.

Never lists or deletes; keys are those of `assay_schemas.artifacts`.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from assay_schemas.artifacts import ArtifactRef

from assay.errors import AssayError, NotConnected, NotFound
from assay.settings import ClientSettings

MEND = "See `assay doctor`; ASSAY_OBJECT_STORE and ASSAY_S3_* say where the store is, and as whom it is asked."


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
        """An object's bytes. Raises NotFound, and NotConnected where the store does not give it."""
        try:
            if path := _local(uri):
                return path.read_bytes()
            filesystem, key = self._remote(uri)
            with filesystem.open_input_stream(key) as stream:
                return bytes(stream.read())
        except FileNotFoundError as error:
            folder = _local(self.root)
            if folder is not None and not folder.is_dir():
                raise NotConnected(f"There is no object store in {folder}. {MEND}") from error
            raise NotFound(f"{uri} is not in the object store.") from error
        except OSError as error:
            raise NotConnected(f"{uri} cannot be read: {error}. {MEND}") from error

    def read_ref(self, ref: ArtifactRef) -> bytes:
        """A referenced object's bytes. Raises AssayError when they are not what the reference says."""
        data = self.read(ref.uri)
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise AssayError(f"{ref.uri} was changed: its SHA-256 is not the one that was published.")
        return data

    def read_table(self, ref: ArtifactRef) -> Any:
        """A referenced Parquet file as an Arrow table."""
        from pyarrow import parquet

        return parquet.read_table(io.BytesIO(self.read_ref(ref)))

    def write(self, key: str, data: bytes) -> str:
        """Writes an object that must not be seen half-written, and returns its URI. Raises NotConnected."""
        try:
            if path := _local(self.uri(key)):
                path.parent.mkdir(parents=True, exist_ok=True)
                partial = path.with_name(f"{path.name}.{hashlib.sha256(data).hexdigest()[:12]}.part")
                partial.write_bytes(data)
                partial.replace(path)
            else:
                filesystem, remote = self._remote(self.uri(key))
                with filesystem.open_output_stream(remote) as stream:
                    stream.write(data)
        except OSError as error:
            raise NotConnected(f"{self.uri(key)} cannot be written: {error}. {MEND}") from error
        return self.uri(key)

    def _remote(self, uri: str) -> tuple[Any, str]:
        """Arrow's S3 file system and the object's place in it; imported here, since most stores are folders."""
        if not uri.startswith("s3://"):
            raise AssayError(f"{uri} is neither file:// nor s3://; set ASSAY_OBJECT_STORE to one of them.")
        from pyarrow import fs

        options: dict[str, Any] = {}
        if self._settings.s3_endpoint_url:
            scheme, _, host = self._settings.s3_endpoint_url.rpartition("://")
            options |= {"endpoint_override": host, "scheme": scheme or "https"}
        if self._settings.s3_region:
            options["region"] = self._settings.s3_region
        if self._settings.s3_ssl_cafile:
            options["tls_ca_file_path"] = self._settings.s3_ssl_cafile
        if self._settings.s3_access_key_id:
            options["access_key"] = self._settings.s3_access_key_id
            options["secret_key"] = self._settings.s3_secret_access_key.get_secret_value()
        return fs.S3FileSystem(**options), uri.removeprefix("s3://")


def _local(uri: str) -> Path | None:
    """The file that a URI names; None for one that is not a file's. References have %20 for a space, and so on."""
    return Path(unquote(uri.removeprefix("file://"))) if uri.startswith("file://") else None

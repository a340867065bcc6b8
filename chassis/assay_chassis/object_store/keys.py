"""Keys and URIs of objects: what is allowed, and from the one to the other.
Never touches a store."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from assay_chassis.object_store.errors import KeyRefused, UriRefused

MAX_KEY_BYTES = 1024
RESERVED_FOLDER = ".writing"


def check_key(key: str) -> str:
    """The same key. Raises KeyRefused unless it is a relative path that stays under its root."""
    parts = key.split("/")
    if not key or "\\" in key or any(ord(character) < 32 for character in key):
        raise KeyRefused(key, "empty, or with a backslash or control character")
    if any(part in ("", ".", "..") for part in parts):
        raise KeyRefused(key, "absolute, or with an empty, '.' or '..' part")
    if "://" in key or parts[0] == RESERVED_FOLDER:
        raise KeyRefused(key, "a URI outside this store, or under the store's own folder")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise KeyRefused(key[:80] + "…", f"longer than {MAX_KEY_BYTES} bytes")
    return key


def split_uri(uri: str) -> tuple[str, str]:
    """Root and key of an object that may lie anywhere: s3://bucket + key, file:///folder + name.

    Raises UriRefused for other schemes and for a URI that names no object."""
    scheme, separator, rest = uri.partition("://")
    if not separator:
        raise UriRefused(uri, "has no scheme")
    if scheme == "s3":
        bucket, _, key = rest.partition("/")
        if not bucket or not key:
            raise UriRefused(uri, "names no object in a bucket")
        return f"s3://{bucket}", key
    if scheme == "file":
        path = path_of_file_uri(uri)
        return path.parent.as_uri(), path.name
    raise UriRefused(uri, f"unknown scheme {scheme!r}")


def path_of_file_uri(uri: str) -> Path:
    """The local path of a file:// URI. Raises UriRefused for another host or a relative path."""
    parts = urlsplit(uri)
    path = Path(unquote(parts.path))
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise UriRefused(uri, "is not an absolute path on this machine")
    return path

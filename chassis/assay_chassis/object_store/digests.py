"""Sizes and sha256 digests of bytes, files and folders.
Never holds a whole file in memory."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

BLOCK = 2**20


def sha256_of_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> tuple[str, int]:
    """Digest and size in bytes of a file."""
    with path.open("rb") as source:
        return copy_with_digest(source, None)


def copy_with_digest(source: BinaryIO, target: BinaryIO | None) -> tuple[str, int]:
    """Copy to the end (nowhere when there is no target); digest and size of what was read."""
    digest, size = hashlib.sha256(), 0
    while block := source.read(BLOCK):
        digest.update(block)
        size += len(block)
        if target is not None:
            target.write(block)
    return digest.hexdigest(), size


def sha256_of_tree(files: Iterable[tuple[str, str]]) -> str:
    """Digest over the sorted lines "<path> <sha256>" of a folder's files."""
    lines = io.StringIO()
    for path, sha256 in sorted(files):
        lines.write(f"{path} {sha256}\n")
    return sha256_of_bytes(lines.getvalue().encode())

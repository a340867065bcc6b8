"""Data folders that Kafka takes for formatted, made without its tool, which is a Java of its own at each first start.

Of what the tool writes, one file is the same for every folder of a Kafka version; the other holds identities. Never
touches a folder that has data.
"""

from __future__ import annotations

import base64
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

SAME = "bootstrap.checkpoint"
IDENTITIES = "meta.properties"


def new_id() -> str:
    """As Kafka writes the identities of clusters and of folders."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def is_formatted(data: Path) -> bool:
    return (data / IDENTITIES).exists()


def keep(data: Path, cache: Path) -> None:
    """Keep what the tool wrote into a folder for the next ones, where the cache can be written."""
    with suppress(OSError):
        _copy_whole(data / SAME, cache / SAME)


def format_alike(data: Path, cache: Path, cluster: str, node: str) -> bool:
    """Format a folder for a node of a cluster; False, with nothing done, where nothing was kept yet."""
    if not (cache / SAME).exists():
        return False
    data.mkdir(parents=True, exist_ok=True)
    _copy_whole(cache / SAME, data / SAME)
    said = {"version": "1", "cluster.id": cluster, "node.id": node, "directory.id": new_id()}
    (data / IDENTITIES).write_text("".join(f"{name}={value}\n" for name, value in said.items()))
    return True


def _copy_whole(source: Path, target: Path) -> None:
    """Nobody sees a part of it."""
    part = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, part)
    part.replace(target)

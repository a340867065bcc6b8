"""Dataset rows and snapshots: which columns make which format, how a row gets its id, what a manifest says.

Pure: readers and writers live with the services; here are the rules they share.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from assay_schemas.canonical import canonical_json, sha256_hex
from assay_schemas.ids import Sha256

RowFormat = Literal["messages", "prompt_completion", "text", "preference", "prompt"]
COLUMNS: dict[RowFormat, tuple[str, ...]] = {
    "preference": ("prompt", "chosen", "rejected"),
    "prompt_completion": ("prompt", "completion"),
    "messages": ("messages",),
    "text": ("text",),
    "prompt": ("prompt",),
}
CATEGORY_COLUMNS = ("category", "subject", "domain", "topic", "level", "difficulty", "type", "subset")
"""Columns that say of which kind a benchmark item is; reports split differences by the first that there is."""
CLUSTER_COLUMN = "cluster"
"""The column that says which benchmark items hang together: one question in several wordings, or several on one text.
They stand on one side of selection, and count as one where it is asked how sure a difference is."""


class SnapshotManifest(BaseModel):
    """`datasets/<digest>/manifest.json`: what `rows.jsonl` beside it holds. The digest is of those bytes."""

    model_config = ConfigDict(frozen=True)

    digest: Sha256
    rows: int
    size: int
    columns: tuple[str, ...]
    formats: tuple[RowFormat, ...]
    source: str = ""


class RowSample:
    """Keeps the rows whose canonical bytes hash lowest: a sample that is the same whatever the order of rows."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[tuple[int, bytes]] = []

    def take(self, line: bytes) -> None:
        """`line` is a row's canonical JSON."""
        rank = -int.from_bytes(hashlib.sha256(line).digest()[:8], "big")
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, (rank, line))
        elif rank > self._kept[0][0]:
            heapq.heapreplace(self._kept, (rank, line))

    def lines(self) -> list[bytes]:
        return [line for _, line in sorted(self._kept, reverse=True)]


def formats_of(columns: Iterable[str]) -> tuple[RowFormat, ...]:
    """Every row format these columns can serve as, the most specific first."""
    present = set(columns)
    return tuple(name for name, needed in COLUMNS.items() if present.issuperset(needed))


def snapshot_bytes(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """The canonical JSONL of rows: one canonical JSON object a line. Its SHA-256 is the snapshot's digest."""
    return b"".join(canonical_json(dict(row)) + b"\n" for row in rows)


def row_ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A stable id for each row: its own `id` column, else a hash of its content (repeats are numbered).

    Depends on content alone, so ids survive reordering and other rows coming or going.
    """
    seen: Counter[str] = Counter()
    ids: dict[str, None] = {}
    for row in rows:
        given = row.get("id")
        base = str(given) if given not in (None, "") else sha256_hex(canonical_json(dict(row)))[:16]
        seen[base] += 1
        unique = base if seen[base] == 1 else f"{base}~{seen[base]}"
        while unique in ids:  # an id of its own that looks like a repeat's
            seen[base] += 1
            unique = f"{base}~{seen[base]}"
        ids[unique] = None
    return list(ids)


def cluster_of(row: Mapping[str, Any]) -> str | None:
    """What an item hangs together with, by name; None where it stands by itself."""
    named = row.get(CLUSTER_COLUMN)
    return str(named) if isinstance(named, str | int) and named != "" else None


def in_share(row_id: str, share: float, salt: str) -> bool:
    """Whether a row falls into the held-out share: a uniform hash of (salt, id) below `share`.

    The same id and salt always decide the same way, before any limit, for every arm and for control.
    """
    digest = hashlib.sha256(f"{salt}\x1f{row_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64

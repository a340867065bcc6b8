"""Benchmark items: which rows of a snapshot are asked, by stable id and in an order of their own.

Pure: never reads a file, and never looks at a row's content beyond its id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay_schemas.datasets import cluster_of, row_ids

ORDER_SALT = "item-order"
PLACE = "<image>"
"""Where a prompt shows its next image, in the harness's words."""


@dataclass(frozen=True)
class ShownImage:
    """An image as it lies on this machine; `key` is where the object store has it."""

    key: str
    path: Path


@dataclass(frozen=True)
class Item:
    """One row of a benchmark's items: its stable id, its place in the snapshot, and its images by their number."""

    id: str
    index: int
    row: Mapping[str, Any]
    images: Mapping[int, ShownImage] = field(default_factory=dict)

    @property
    def cluster(self) -> str | None:
        """What the item hangs together with; None where it stands by itself."""
        return cluster_of(self.row)


def order_key(item_id: str) -> str:
    """Where an item stands among the others: a hash of its id."""
    return hashlib.sha256(f"{ORDER_SALT}\x1f{item_id}".encode()).hexdigest()


def ordered_items(rows: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Every row as an item, in the order in which a `limit` counts them.

    The order is by hash of the id, not by place: files are often sorted by topic or difficulty, so the
    first N lines would be a biased sample. It is the same on every machine, for every arm and for
    control; a smaller limit asks a prefix of what a larger one asks, with the same prompts; and rows
    that are added or removed elsewhere do not change which of two items comes first.
    """
    items = [Item(id, index, row) for index, (id, row) in enumerate(zip(row_ids(rows), rows, strict=True))]
    return sorted(items, key=lambda item: order_key(item.id))

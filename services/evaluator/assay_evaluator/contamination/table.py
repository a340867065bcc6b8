"""Overlaps as a Parquet file beside an evaluation's samples, joined to them by item id.

Only writes the file; what a column means is here and in its metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from assay_evaluator.contamination.index import Overlap
from assay_evaluator.tables import parquet_bytes, table_schema

SCHEMA_NAME = "overlap/1"
COLUMNS: dict[str, tuple[str, str]] = {
    "item_id": ("string", "the item, as in the samples"),
    "words": ("int32", "words of the item's texts, after normalisation"),
    "ngrams_8": ("int32", "8-grams of the item that are its own"),
    "shared_8": ("int32", "of those, how many a training row has"),
    "overlap_8": ("double", "shared_8 / ngrams_8; null where there are none"),
    "ngrams_13": ("int32", "13-grams of the item that are its own"),
    "shared_13": ("int32", "of those, how many a training row has"),
    "overlap_13": ("double", "shared_13 / ngrams_13; null where there are none"),
    "contaminated": ("bool", "a 13-gram is shared, or all 8-grams of an item without 13-grams; null: too short"),
    "row_index": ("int64", "the training row, from 0, that had most of the shared n-grams first; null: none"),
    "row_id": ("string", "that row's id; null: none"),
}
OPTIONAL = frozenset({"overlap_8", "overlap_13", "contaminated", "row_index", "row_id"})
RowNames = Callable[[int], str]


def overlaps_to_parquet(overlaps: Sequence[Overlap], row_id: RowNames) -> bytes:
    """The Parquet file of overlaps, in their order; `row_id` names a training row by its place."""
    rows = [_row(overlap, row_id) for overlap in overlaps]
    return parquet_bytes(rows, table_schema(SCHEMA_NAME, COLUMNS, OPTIONAL))


def _row(overlap: Overlap, row_id: RowNames) -> dict[str, Any]:
    row: dict[str, Any] = {"item_id": overlap.item_id, "words": overlap.words}
    for n in overlap.ngrams:
        row |= {f"ngrams_{n}": overlap.ngrams[n], f"shared_{n}": overlap.shared[n], f"overlap_{n}": overlap.share(n)}
    found = None if overlap.row is None else row_id(overlap.row)
    return {**row, "contaminated": overlap.contaminated, "row_index": overlap.row, "row_id": found}

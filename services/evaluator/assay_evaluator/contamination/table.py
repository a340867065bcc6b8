"""Overlaps as a Parquet file beside an evaluation's samples, joined to them by item id.

Only writes the file; what a column means is here and in its metadata.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from assay_evaluator.contamination.index import Overlap

if TYPE_CHECKING:
    import pyarrow as pa

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


def overlap_schema() -> pa.Schema:
    """The file's columns in order, each with its type and, as metadata, its meaning."""
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "int64": pa.int64(),
        "int32": pa.int32(),
        "double": pa.float64(),
        "bool": pa.bool_(),
    }
    fields = [
        pa.field(name, types[kind], nullable=name in OPTIONAL, metadata={"description": meaning})
        for name, (kind, meaning) in COLUMNS.items()
    ]
    return pa.schema(fields, metadata={"assay": SCHEMA_NAME})


def overlaps_to_parquet(overlaps: Sequence[Overlap], row_id: RowNames) -> bytes:
    """The Parquet file of overlaps, in their order; `row_id` names a training row by its place."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [_row(overlap, row_id) for overlap in overlaps]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=overlap_schema()), buffer, compression="zstd")
    return buffer.getvalue()


def _row(overlap: Overlap, row_id: RowNames) -> dict[str, Any]:
    row: dict[str, Any] = {"item_id": overlap.item_id, "words": overlap.words}
    for n in overlap.ngrams:
        row |= {f"ngrams_{n}": overlap.ngrams[n], f"shared_{n}": overlap.shared[n], f"overlap_{n}": overlap.share(n)}
    found = None if overlap.row is None else row_id(overlap.row)
    return {**row, "contaminated": overlap.contaminated, "row_index": overlap.row, "row_id": found}

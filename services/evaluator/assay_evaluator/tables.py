"""Parquet tables that say themselves what their columns mean: in each column's metadata, and the schema's name.

Only builds schemas and bytes; what stands in a table belongs to who writes it.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

MEDIA_TYPE = "application/vnd.apache.parquet"
Columns = Mapping[str, tuple[str, str]]
"""By a column's name in the file's order: its kind, and its meaning in words."""


def table_schema(name: str, columns: Columns, optional: Collection[str]) -> pa.Schema:
    """The schema `name`; columns that are not `optional` are never null. Raises KeyError for an unknown kind."""
    import pyarrow as pa

    kinds: dict[str, pa.DataType] = {
        "string": pa.string(),
        "int64": pa.int64(),
        "int32": pa.int32(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "int32_list": pa.list_(pa.int32()),
        "float_list": pa.list_(pa.float32()),
        "string_list": pa.list_(pa.string()),
    }
    fields = [
        pa.field(column, kinds[kind], nullable=column in optional, metadata={"description": meaning})
        for column, (kind, meaning) in columns.items()
    ]
    return pa.schema(fields, metadata={"assay": name})


def parquet_bytes(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> bytes:
    """The Parquet file of rows, in their order."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), buffer, compression="zstd")
    return buffer.getvalue()

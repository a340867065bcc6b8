"""Every sample of an evaluation as one Parquet file, readable by DuckDB, pandas and the reporter.

Only writes and reads the file; never scores anything.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay_schemas.results import Sample

from assay_evaluator.tables import parquet_bytes, table_schema

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_NAME = "samples/4"
COLUMNS: dict[str, tuple[str, str]] = {
    "item_id": ("string", "stable id of the item: joins the samples of all models on one benchmark"),
    "item_index": ("int64", "the item's row in the snapshot, from 0"),
    "sample_index": ("int32", "which of the item's responses, from 0"),
    "prompt": ("string", "the text given to the model, examples included"),
    "images": ("string_list", "the images shown with it, in order, as keys in the object store; empty without any"),
    "target": ("string", "what a right response is compared with"),
    "response": ("string", "the model's text as it came; empty where nothing is generated"),
    "extracted": ("string", "the answer read from the response; null where none was found"),
    "score": ("double", "the primary metric of this response; null where the item failed"),
    "tokens": ("int32", "tokens generated, the end token included; 0 where unknown"),
    "finish_reason": ("string", "stop, length, or empty where unknown"),
    "logprob": ("double", "natural-log probability of the response or target; null where unknown"),
    "token_ids": ("int32_list", "the generated tokens in order, the end token included; empty where unknown"),
    "token_logprobs": (
        "float_list",
        "natural-log probability of each, before temperature and top-p; empty where unknown",
    ),
    "scorer": ("string", "what scored the response: name/version and parameters; empty where unknown"),
    "details": ("string", "JSON object: the benchmark's other values for this item"),
    "error": ("string", "why the item failed; empty where it did not"),
}


OPTIONAL = frozenset({"extracted", "score", "logprob"})


def parquet_schema() -> pa.Schema:
    """The file's columns in order, each with its type and, as metadata, its meaning."""
    return table_schema(SCHEMA_NAME, COLUMNS, OPTIONAL)


def samples_to_parquet(samples: Sequence[Sample]) -> bytes:
    """The Parquet file of samples, in their order."""
    return parquet_bytes([sample.model_dump() for sample in samples], parquet_schema())


def samples_from_parquet(data: bytes) -> list[Sample]:
    """The samples of such a file, in its order."""
    import pyarrow.parquet as pq

    return [Sample.model_validate(row) for row in pq.ParquetFile(io.BytesIO(data)).read().to_pylist()]

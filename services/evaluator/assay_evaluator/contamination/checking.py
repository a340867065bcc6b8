"""The contamination of one evaluation: found once for a snapshot and its items, then read by all that share them.

Never fails an evaluation for want of a snapshot: a model that was not trained here has no contamination to state.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from assay_chassis.object_store import SyncObjectStore
from assay_schemas.artifacts import ArtifactRef, overlap_key, rows_key
from assay_schemas.canonical import digest_of, sha256_hex
from assay_schemas.datasets import row_ids
from assay_schemas.jobs import EvalInputs
from assay_schemas.results import Contamination

from assay_evaluator.contamination.index import OverlapIndex
from assay_evaluator.contamination.provenance import training_snapshot
from assay_evaluator.contamination.table import SCHEMA_NAME, overlaps_to_parquet
from assay_evaluator.tables import MEDIA_TYPE

ROWS_BETWEEN_BEATS = 1000
Texts = Mapping[str, Sequence[str]]


def contamination_of(
    store: SyncObjectStore, inputs: EvalInputs, texts: Texts, beat: Callable[[], None]
) -> Contamination | None:
    """The overlap of the asked items' texts, by item id, with the snapshot that the evaluated model was trained on.

    None for a model that was not trained here. `beat` is called now and then, and may raise to end the work.
    """
    snapshot = training_snapshot(store, inputs)
    if snapshot is None or not texts:
        return None
    key = overlap_key(snapshot, digest_of({"schema": SCHEMA_NAME, "items": [[*pair] for pair in texts.items()]}))
    if store.exists(key):
        data = store.get_bytes(key)
        reference = ArtifactRef(uri=store.uri(key), sha256=sha256_hex(data), size=len(data), media_type=MEDIA_TYPE)
    else:
        data = _table(store, snapshot, texts, beat)
        reference = store.put_bytes(key, data, media_type=MEDIA_TYPE)
    flags = _flags(data)
    return Contamination(
        dataset=snapshot, overlap=reference, items=len(flags), contaminated=flags.count(True), unknown=flags.count(None)
    )


def _table(store: SyncObjectStore, snapshot: str, texts: Texts, beat: Callable[[], None]) -> bytes:
    index = OverlapIndex(texts)
    with tempfile.TemporaryDirectory() as folder:
        path = store.get_file(rows_key(snapshot), Path(folder) / "rows.jsonl")
        index.scan(_rows(path, beat))
        overlaps = index.overlaps()
        names = _row_names(path, {overlap.row for overlap in overlaps if overlap.row is not None})
    return overlaps_to_parquet(overlaps, names.__getitem__)


def _rows(path: Path, beat: Callable[[], None]) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for place, line in enumerate(lines):
            if place % ROWS_BETWEEN_BEATS == 0:
                beat()
            yield json.loads(line)


def _row_names(path: Path, wanted: set[int]) -> dict[int, str]:
    """The ids of some rows by their place; a repeated row has the id of its first."""
    with path.open("rb") as lines:
        return {place: row_ids([json.loads(line)])[0] for place, line in enumerate(lines) if place in wanted}


def _flags(data: bytes) -> list[bool | None]:
    import pyarrow.parquet as pq

    flags: list[bool | None] = pq.ParquetFile(io.BytesIO(data)).read(["contaminated"]).column(0).to_pylist()
    return flags

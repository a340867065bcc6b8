"""The rows of the arms' snapshots, whole where they are small, and how benchmark items overlap with them.

Reads what the plan references; what is not there any more, or not in this store, is simply left out.
"""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from typing import Any

from assay_chassis.object_store import KeyRefused, ObjectNotFound, ObjectStore, ObjectTooLarge
from assay_schemas.artifacts import ArtifactRef, DatasetRef, row_sample_key

from assay_reporter.evidence import Evidence, TrainingRows

LARGEST_WHOLE = 4 * 2**20


async def with_training_rows(store: ObjectStore, evidence: Evidence) -> Evidence:
    """The evidence with its arms' rows, by digest. Raises the store's errors where it cannot be reached."""
    wanted = {arm.dataset.digest: arm.dataset for arm in evidence.plan.arms if arm.dataset is not None}
    found = await asyncio.gather(*(_rows(store, dataset) for dataset in wanted.values()))
    stated = [one.result.contamination for one in evidence.evaluations.values() if one.result.contamination]
    references = {one.overlap.uri: one.overlap for one in stated}
    overlaps = await asyncio.gather(*(_overlap(store, reference) for reference in references.values()))
    return replace(
        evidence,
        rows={digest: rows for digest, rows in zip(wanted, found, strict=True) if rows},
        overlaps={uri: overlap for uri, overlap in zip(references, overlaps, strict=True) if overlap},
    )


async def _rows(store: ObjectStore, dataset: DatasetRef) -> TrainingRows | None:
    try:
        data = await store.get_bytes(dataset.uri, max_bytes=LARGEST_WHOLE)
    except ObjectTooLarge:
        return await _sample(store, dataset)
    except (ObjectNotFound, KeyRefused):
        return None
    return TrainingRows(_parsed(data), dataset.rows)


async def _sample(store: ObjectStore, dataset: DatasetRef) -> TrainingRows | None:
    try:
        data = await store.get_bytes(row_sample_key(dataset.digest), max_bytes=LARGEST_WHOLE)
    except (ObjectNotFound, ObjectTooLarge):
        return None
    return TrainingRows(_parsed(data), dataset.rows)


async def _overlap(store: ObjectStore, reference: ArtifactRef) -> dict[str, float]:
    """The share of each contaminated item's 13-grams (8-grams where it has none) that stand in a row."""
    from pyarrow import parquet

    try:
        data = await store.get_bytes(reference)
    except (ObjectNotFound, KeyRefused, ObjectTooLarge):
        return {}
    columns = ["item_id", "contaminated", "overlap_8", "overlap_13"]
    rows = parquet.ParquetFile(io.BytesIO(data)).read(columns).to_pylist()
    return {
        row["item_id"]: row["overlap_8"] or 0.0 if row["overlap_13"] is None else row["overlap_13"]
        for row in rows
        if row["contaminated"]
    }


def _parsed(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines() if line.strip()]

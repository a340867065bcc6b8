"""Reads rows from a file for a snapshot, and announces a snapshot.

Which columns an algorithm needs is checked by the scheduler when an experiment uses it.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pydantic_core
from assay_schemas.artifacts import DatasetRef, dataset_prefix
from assay_schemas.envelope import Event
from assay_schemas.events import DatasetPublished
from assay_schemas.topics import TOPICS

from assay import stream
from assay.blocking import run_blocking
from assay.errors import AssayError
from assay.settings import ClientSettings
from assay.store import Store


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL or Parquet file. Raises AssayError naming the line of the first broken row."""
    if path.suffix == ".parquet":
        try:
            return list(pyarrow.parquet.read_table(path).to_pylist())
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            raise AssayError(f"{path} is not a Parquet file: {error}.") from error
    lines = path.read_bytes().splitlines()
    return [_row(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = pydantic_core.from_json(line, allow_inf_nan=False)
    except ValueError as error:
        raise AssayError(f"{path}, line {number} is not JSON: {error}.") from error
    if not isinstance(row, dict):
        raise AssayError(f"{path}, line {number} is not a JSON object; each line holds one row.")
    return row


def publish_snapshot(settings: ClientSettings, location: str, rows: int, name: str) -> None:
    """Publishes `dataset.published` for a stored snapshot."""
    digest = location.removeprefix("sha256:")
    uri = Store(settings).uri(f"{dataset_prefix(digest)}/rows.jsonl")
    body = DatasetPublished(snapshot=DatasetRef(uri=uri, digest=digest, rows=rows, source=name), name=name)
    topic = TOPICS["dataset.published"]
    event = Event(
        id=str(uuid.uuid4()),
        source=settings.source,
        type=topic.name,
        time=datetime.now(UTC),
        data=body.model_dump(mode="json"),
        key=digest,
        subject=digest,
        dataschema=topic.dataschema,
    )
    run_blocking(stream.publish(settings, [event]))

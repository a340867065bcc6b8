"""Rows of a dataset snapshot: read, numbered, and split into training and validation by row id.

Never changes a row, and never draws a random number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pydantic_core
from assay_schemas.canonical import sha256_hex
from assay_schemas.datasets import COLUMNS, in_share, row_ids
from assay_schemas.jobs import VALIDATION_SALT

from assay_trainer.errors import BadInput

LEAST_VALIDATION_ROWS = 32


@dataclass(frozen=True)
class Row:
    """One row: its stable id, its line in the snapshot (from 1), and its columns."""

    id: str
    line: int
    columns: Mapping[str, Any]


@dataclass(frozen=True)
class Split:
    """Rows to train on, in the snapshot's order, and rows to validate on, in the order of their hash."""

    training: list[Row]
    validation: list[Row]


def read_rows(data: bytes, digest: str, formats: Sequence[str]) -> list[Row]:
    """The rows of a snapshot's bytes. Raises BadInput naming the line, the columns and what is needed."""
    if sha256_hex(data) != digest:
        raise BadInput("dataset: the snapshot's bytes are not those of its digest; publish the dataset again")
    columns = [_columns(line, number) for number, line in enumerate(data.splitlines(), start=1) if line.strip()]
    if not columns:
        raise BadInput("dataset: the snapshot has no rows; publish one that has")
    for number, row in enumerate(columns, start=1):
        _check_columns(row, number, formats)
    ids = row_ids(columns)
    return [Row(id_, number, row) for number, (id_, row) in enumerate(zip(ids, columns, strict=True), start=1)]


def _columns(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = pydantic_core.from_json(line)
    except ValueError as error:
        raise BadInput(f"dataset line {number}: not JSON ({error}); mend the line") from error
    if not isinstance(row, dict):
        raise BadInput(f"dataset line {number}: not a JSON object; a row is an object of columns")
    return row


def _check_columns(row: Mapping[str, Any], number: int, formats: Sequence[str]) -> None:
    present = {name for name, value in row.items() if value is not None}
    if any(present.issuperset(columns) for name, columns in COLUMNS.items() if name in formats):
        return
    wanted = " | ".join("+".join(columns) for name, columns in COLUMNS.items() if name in formats)
    found = ", ".join(sorted(present)) or "none"
    raise BadInput(f"dataset line {number}: columns {found}; give {wanted}")


def split_rows(rows: Sequence[Row], share: float) -> Split:
    """Hold out the rows whose id hashes below `share`; none where that would leave nothing to train on."""
    held_out = [row for row in rows if in_share(row.id, share, VALIDATION_SALT)]
    if len(held_out) == len(rows):
        return Split(list(rows), [])
    held_ids = {row.id for row in held_out}
    return Split([row for row in rows if row.id not in held_ids], sorted(held_out, key=_hash_of))


def validation_limit(steps: int, batch_size: int) -> int:
    """How many held-out rows measure a checkpoint: about a tenth of the run's work, and never too few to tell.

    A forward pass is a third of a training step, and there are five checkpoints by default.
    """
    return max(LEAST_VALIDATION_ROWS, steps * batch_size // 16)


def _hash_of(row: Row) -> bytes:
    return hashlib.sha256(row.id.encode()).digest()

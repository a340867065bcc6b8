"""Interventions that keep some of the rows, as they are and in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay_schemas.canonical import canonical_json

from assay_trainer.data.rows import Row
from assay_trainer.interventions.base import is_chosen


def subsample(rows: Sequence[Row], given: Mapping[str, Any], seed: int) -> list[Row]:
    """The fraction; a smaller one is part of a larger one."""
    return [row for row in rows if is_chosen(row, given, seed)]


def subset(rows: Sequence[Row], given: Mapping[str, Any], _seed: int) -> list[Row]:
    """Rows whose column has one of the values, compared as text."""
    values = set(given["values"])
    return [row for row in rows if str(row.columns.get(given["column"])) in values]


def deduplicate(rows: Sequence[Row], _given: Mapping[str, Any], _seed: int) -> list[Row]:
    """The first of rows that are equal in every column but `id`."""
    first: dict[bytes, Row] = {}
    for row in rows:
        content = {name: value for name, value in row.columns.items() if name != "id"}
        first.setdefault(canonical_json(content), row)
    return list(first.values())

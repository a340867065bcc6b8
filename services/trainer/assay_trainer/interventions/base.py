"""What interventions share: which rows are chosen, and how values move between them.

All chance is a hash of seed and row id; no random number is drawn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from assay_schemas.datasets import in_share

from assay_trainer.data.rows import Row

Intervention = Callable[[Sequence[Row], Mapping[str, Any], int], list[Row]]


def is_chosen(row: Row, given: Mapping[str, Any], seed: int) -> bool:
    """Whether the row falls into the fraction; one chosen for a fraction is chosen for every larger one."""
    fraction = given.get("fraction", 1.0)
    return fraction >= 1 or in_share(row.id, fraction, f"intervention/{seed}")


def with_columns(row: Row, **columns: Any) -> Row:
    return Row(row.id, row.line, {**row.columns, **columns})


def changed(rows: Sequence[Row], given: Mapping[str, Any], seed: int, change: Callable[[Row], Row]) -> list[Row]:
    """The rows in their order, those of the fraction changed one by one."""
    return [change(row) if is_chosen(row, given, seed) else row for row in rows]


def rotated(rows: Sequence[Row], given: Mapping[str, Any], seed: int, column: str) -> list[Row]:
    """The rows in their order, those of the fraction with one another's values of a column.

    Along a cycle in the order of a hash: no two rows share a value they did not share before, and a row keeps
    its own only where it is the only one chosen.
    """
    chosen = [row for row in rows if is_chosen(row, given, seed)]
    order = sorted(chosen, key=lambda row: hashlib.sha256(f"{column}/{seed}/{row.id}".encode()).digest())
    given_to = {row.id: giver.columns[column] for giver, row in zip(order, [*order[1:], *order[:1]], strict=True)}
    return [with_columns(row, **{column: given_to[row.id]}) if row.id in given_to else row for row in rows]

"""Samples of one replicate on one benchmark as columns: scores as numbers, texts read only where asked for.

Joins by item and sample, never by row position; scores nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from assay_reporter.diagnosis.causes import Response
from assay_reporter.evidence import Evidence

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, eq=False)
class Column:
    """`table` as the evaluation left it; `seed` is None for control."""

    table: pa.Table
    seed: int | None = None

    @cached_property
    def place(self) -> dict[tuple[str, int], int]:
        """The row of each (item, sample)."""
        keys = zip(self.table.column("item_id").to_pylist(), self.table.column("sample_index").to_pylist(), strict=True)
        return {key: row for row, key in enumerate(keys)}

    @cached_property
    def scores(self) -> npt.NDArray[np.float64]:
        """(rows,), NaN where the item failed."""
        return self.numbers("score")

    @cached_property
    def generated(self) -> bool:
        """Whether the model wrote its responses: where it did, tokens or the reason of the end are known."""
        return bool((self.numbers("tokens") > 0).any()) or any(self.texts("finish_reason"))

    def numbers(self, name: str) -> npt.NDArray[np.float64]:
        """A number column, NaN where it is null; all 0 where the table has none."""
        if name not in self.table.column_names:
            return np.zeros(self.table.num_rows)
        # By way of a list: pyarrow loads pandas for its own way, half a second of the first report.
        return np.array(self.table.column(name).to_pylist(), dtype=np.float64)

    def texts(self, name: str) -> list[str]:
        """A text column whole, empty where it is null or missing."""
        if name not in self.table.column_names:
            return [""] * self.table.num_rows
        return [text or "" for text in self.table.column(name).to_pylist()]

    def text(self, name: str, row: int) -> str:
        """One value of a text column."""
        if name not in self.table.column_names:
            return ""
        return str(self.table.column(name)[row].as_py() or "")

    def read_share(self) -> float | None:
        """The share of responses in which the scorer found an answer; None where nothing was extracted at all."""
        if "extracted" not in self.table.column_names or not self.table.num_rows:
            return None
        column = self.table.column("extracted")
        return float(1 - column.null_count / self.table.num_rows)

    def response(self, row: int, other: str = "") -> Response:
        """The response in a row; `other` is the one it is held against."""
        return Response(
            prompt=self.text("prompt", row),
            target=self.text("target", row),
            text=self.text("response", row),
            finish_reason=self.text("finish_reason", row),
            details=self.text("details", row) or "{}",
            other=other,
        )


ByArm = dict[str, list[Column]]


def columns_of(evidence: Evidence) -> dict[str, ByArm]:
    """By benchmark id and arm: the samples of each replicate that has any, in the plan's order."""
    found: dict[str, ByArm] = {}
    for benchmark in evidence.plan.benchmarks:
        arms: ByArm = {}
        for replicate, evaluated in evidence.evaluated(benchmark):
            arms.setdefault(replicate.arm, []).append(Column(evaluated.samples, replicate.seed))
        found[benchmark.id] = arms
    return found

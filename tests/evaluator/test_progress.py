"""How far an evaluation is, and how it learns that nobody wants it any more."""

from __future__ import annotations

from typing import Any

import pytest
from assay_evaluator.progress import EvaluationProgress, Stopped


def test_rows_are_counted_up_to_what_is_expected() -> None:
    records: list[dict[str, Any]] = []
    progress = EvaluationProgress(records.append)
    progress.expect(10)
    progress.rows_done(8)
    progress.rows_done(8)
    assert [(record["step"], record["total"]) for record in records] == [(0, 10), (8, 10), (10, 10)]


def test_a_second_kind_of_request_counts_from_its_start() -> None:
    records: list[dict[str, Any]] = []
    progress = EvaluationProgress(records.append)
    progress.expect(2)
    progress.rows_done(2)
    progress.expect(5)
    assert (records[-1]["step"], records[-1]["total"]) == (0, 5)


def test_asked_to_end_it_raises_at_the_next_word() -> None:
    asked = False
    progress = EvaluationProgress(lambda _: None, lambda: asked)
    progress.beat()
    asked = True
    with pytest.raises(Stopped):
        progress.beat()

"""Dealing a step's examples out to processes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from assay_trainer.parallel.shares import passes_of, shares

pytestmark = pytest.mark.real


@dataclass(frozen=True)
class Row:
    length: int


ROWS = [Row(length) for length in (5, 90, 40, 41, 3, 60, 7)]


def test_every_example_is_dealt_once_and_tokens_are_even() -> None:
    dealt = shares(ROWS, 2)
    assert sorted(row.length for share in dealt for row in share) == sorted(row.length for row in ROWS)
    assert abs(sum(row.length for row in dealt[0]) - sum(row.length for row in dealt[1])) <= 20


def test_all_processes_have_as_many_passes_and_the_fillers_do_not_count() -> None:
    planned = [passes_of(ROWS, place, 3, 2) for place in range(3)]
    assert len({len(each) for each in planned}) == 1
    counted = [row for each in planned for part in each if part.counts for row in part.examples]
    assert sorted(row.length for row in counted) == sorted(row.length for row in ROWS)


def test_a_process_without_rows_keeps_the_others_company() -> None:
    planned = [passes_of(ROWS[:1], place, 2, None) for place in range(2)]
    assert [[part.counts for part in each] for each in planned] == [[True], [False]]

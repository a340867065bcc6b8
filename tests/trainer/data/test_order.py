"""Which rows make which step depends on the seed and the rows, and on nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from assay_trainer.data.order import batches, shuffled_for_ever, steps_of


def every(positions: Sequence[int]) -> list[int | None]:
    return list(positions)


def even(positions: Sequence[int]) -> list[int | None]:
    return [position if position % 2 == 0 else None for position in positions]


def test_every_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    stream = shuffled_for_ever(10, seed=3)
    first, second = (list(itertools.islice(stream, 10)) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second


def test_the_seed_decides_the_order() -> None:
    assert batches(50, 1, 4, 8, every) == batches(50, 1, 4, 8, every)
    assert batches(50, 1, 4, 8, every) != batches(50, 2, 4, 8, every)


def test_a_longer_run_begins_as_a_shorter_one() -> None:
    assert batches(50, 1, 9, 8, every)[:4] == batches(50, 1, 4, 8, every)


def test_every_step_is_full() -> None:
    assert [len(batch) for batch in batches(5, 0, 3, 8, every)] == [8, 8, 8]


def test_rows_to_pass_over_leave_no_gap() -> None:
    found = batches(10, 0, 3, 4, even)
    assert [len(batch) for batch in found] == [4, 4, 4]
    assert {row for batch in found for row in batch} == {0, 2, 4, 6, 8}


def test_passing_rows_over_keeps_the_order_of_the_others() -> None:
    chosen = [row for batch in batches(10, 0, 3, 4, even) for row in batch]
    wanted = (row for row in shuffled_for_ever(10, 0) if row % 2 == 0)
    assert chosen == list(itertools.islice(wanted, 12))


def test_without_usable_rows_there_is_no_batch() -> None:
    assert batches(10, 0, 3, 4, lambda positions: [None] * len(positions)) == []


def test_only_rows_that_the_run_comes_to_are_encoded_and_once() -> None:
    seen: list[int] = []

    def encode(positions: Sequence[int]) -> list[int | None]:
        seen.extend(positions)
        return list(positions)

    batches(1000, 0, 2, 8, encode)
    assert len(seen) == len(set(seen)) == 16


@pytest.mark.parametrize(
    ("steps", "epochs", "expected"), [(7, None, 7), (None, 2.0, 13), (None, None, 7), (None, 0.01, 1)]
)
def test_steps_are_declared_or_follow_from_the_epochs(steps: int | None, epochs: float | None, expected: int) -> None:
    assert steps_of(steps, epochs, usable_rows=50, batch_size=8) == expected

"""Which checkpoints stay."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("losses", "newest", "expected"),
    [
        ({2: 3.0, 4: 2.0, 6: 4.0}, None, {2, 4, 6}),
        ({2: 3.0, 4: 2.0, 6: 4.0}, 1, {4, 6}),
        ({2: 3.0, 4: 2.0, 6: 1.0}, 1, {6}),
        ({2: 1.0, 4: 1.0, 6: 1.0}, 1, {2, 6}),
        ({2: None, 4: None, 6: None}, 2, {4, 6}),
        ({2: None}, 5, {2}),
    ],
)
def test_the_newest_and_the_best_stay(losses: dict[int, float | None], newest: int | None, expected: set[int]) -> None:
    from assay_trainer.checkpoints.writer import kept

    assert kept(losses, newest) == expected

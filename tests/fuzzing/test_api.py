"""A few requests to every operation of both HTTP interfaces; `make fuzz-api` makes many."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_every_answer_is_one_that_the_openapi_description_knows(tmp_path: Path) -> None:
    from fuzzing.api.explore import explore
    from fuzzing.api.ground import ground

    with ground(tmp_path) as made:
        found = explore(made, 12, first=5_000_000)
    assert {one.operation: one.wrong for one in found if one.wrong} == {}
    assert len(found) > 15

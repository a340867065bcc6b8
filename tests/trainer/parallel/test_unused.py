"""A weight that gets no gradient in a step stays as it is, however the work is spread, as it does in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from checks_apart import found_apart

pytestmark = pytest.mark.real
CHECKS = Path(__file__).with_name("unused_checks.py")
LAYOUTS = (
    "data",
    "tensor",
    "context",
    "pipeline",
    "expert",
    "one process offloaded",
    "data offloaded",
    "data with activations computed again",
    "data and tensor",
    "data and pipeline",
    "data and expert",
)
NEVER = ("model.layers.0.never.weight", "unseen.weight")
RARE = "model.layers.0.rare.weight"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What unused_checks.py found, all in one process that forks."""
    return found_apart(CHECKS, tmp_path_factory.mktemp("unused"))


@pytest.mark.parametrize("rows", [0, 1], ids=["one pass", "several passes"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_few_rows_use_and_what_none_do_are_trained_as_in_one_process(found: Any, layout: str, rows: int) -> None:
    """With weight decay, and with steps after the one that uses it, in which its moments would move it on."""
    one = found["layouts"][layout][rows]
    assert "error" not in one, (one, found["log"])
    assert one["missing"] == []
    assert one["moved"][RARE] > 1e-3
    assert [one["moved"][name] for name in NEVER] == [0.0, 0.0]
    assert {name: apart for name, apart in one["off"].items() if apart > 1e-5} == {}


@pytest.mark.parametrize("algorithm", ["SFT", "GRPO", "PPO"])
def test_what_looks_stays_as_it_was_where_rows_are_spread(found: Any, algorithm: str) -> None:
    moved = found["jobs"][algorithm]
    unseen = {name: far for name, far in moved.items() if "vision" in name or "projector" in name}
    assert len(unseen) > 2
    assert set(unseen.values()) == {0.0}
    assert all(far > 0 for name, far in moved.items() if name not in unseen)


def test_gradients_are_added_up_where_any_process_has_one(found: Any) -> None:
    summed = [[[3.0, 3.0]] * 2, [[5.0, 5.0]] * 2, None]
    assert found["gradients"] == [summed, summed]

"""Every entrance takes a short run of malformed inputs; `make fuzz` takes a million."""

from __future__ import annotations

import pytest

from fuzzing.__main__ import SHARES
from fuzzing.run import fuzz
from fuzzing.target import WrongAnswer
from fuzzing.targets import TARGETS

pytestmark = pytest.mark.slow
INPUTS = 400
FIRST = 5_000_000
"""Far from the numbers that `make fuzz` tries."""


@pytest.mark.parametrize("name", list(TARGETS))
def test_malformed_inputs_are_accepted_or_refused_and_nothing_else(name: str) -> None:
    count = INPUTS if name != "pages" else INPUTS // 10
    found = fuzz(name, range(FIRST, FIRST + count))
    assert found.crashes == {}
    assert found.inputs == count


def test_a_crash_is_found_and_keeps_the_number_that_makes_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    target = TARGETS["cursors"]
    monkeypatch.setattr(target, "answer", lambda _self, given: 1 / 0 if "x" in given else "accepted")
    found = fuzz("cursors", range(200))
    ((number, words),) = found.crashes.values()
    assert words.startswith("ZeroDivisionError")
    assert fuzz("cursors", [number]).answers["crashed"] == 1


def test_a_refusal_without_a_field_counts_as_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_self: object, _given: object) -> None:
        raise WrongAnswer("no field")

    monkeypatch.setattr(TARGETS["cursors"], "answer", wrong)
    assert fuzz("cursors", range(5)).answers["crashed"] == 5


def test_every_entrance_has_its_share() -> None:
    assert set(SHARES) == set(TARGETS)
    assert sum(SHARES.values()) == pytest.approx(1.0)

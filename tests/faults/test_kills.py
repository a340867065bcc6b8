"""Every service killed at places of its code that speak to database, broker or store, before and after each.

A sample of them with the other faults; with `ASSAY_TEST_FAULTS=all` every one, which takes some twenty minutes
(`make kill-places`), and the result is written.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from benchmarks.results_file import load

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(Path(__file__).parent / "kills"))
from campaign import Campaign, Registers
from dying_system import dying
from reach import UNEXPLAINED
from result import figures, write_result

pytestmark = [pytest.mark.real, pytest.mark.slow]
EVERY_POINT = os.environ.get("ASSAY_TEST_FAULTS") == "all"
ROUNDS, EVERY, WITHIN_S = (26, 1, 3000) if EVERY_POINT else (2, 16, 580)


@pytest.mark.timeout(WITHIN_S)
async def test_whoever_dies_at_a_place_is_followed_by_one_who_ends_what_was_begun(system, tmp_path: Path) -> None:
    load_before, registers = load(), Registers(tmp_path / "registers")
    registers.folder.mkdir()
    registers.arm_first_start()
    with dying(system, registers.folder) as whole:
        outcome = await Campaign(whole, registers).go(ROUNDS, EVERY)
    assert not outcome.broken
    found = figures(outcome)
    assert UNEXPLAINED not in found["not_passed"], found["not_passed"]
    assert found["kills"] > 0
    if EVERY_POINT:
        write_result(outcome, load_before)

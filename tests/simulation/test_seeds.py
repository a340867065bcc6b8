"""The whole system under simulated faults: no promise broken, and a seed is one schedule."""

from __future__ import annotations

import os
import subprocess
import sys
from inspect import signature

import pytest
from assay_schemas.envelope import Record, decode

from simulation.every_point import tried_at_each
from simulation.faults import KINDS
from simulation.life import clear_away, live, simulate
from simulation.planted import BUGS, plant
from simulation.planted.bug import Bug
from simulation.world import Options, SimulatedWorld

SEEDS, AT_ONCE = 500, 100
"""How many are tried, and how many by one command: a slow machine has time for so many before it is given up."""


def command(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "simulation", *arguments],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_a_seed_without_faults_ends_well_and_nobody_changes_an_event_that_others_read() -> None:
    world = SimulatedWorld(2, Options(without=KINDS, most_experiments=1))
    outcome = live(world)
    assert outcome.broken == []
    assert outcome.experiments == 1
    assert outcome.faults == {}
    for (topic, key, value), event in world.read.known.items():
        assert decode(Record(topic=topic, key=key, value=value)) == event
    del world
    clear_away()


@pytest.mark.real
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_no_promise_is_broken_in_the_first_seeds(first: int) -> None:
    answer = command("--seeds", str(AT_ONCE), "--first", str(first), "--processes", "2")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert f"{AT_ONCE} seeds" in answer.stdout


@pytest.mark.real
def test_a_seed_is_one_schedule_in_every_process() -> None:
    first, second = (command("--seed", "3", hash_seed=hash_seed).stdout for hash_seed in ("0", "77"))
    assert "schedule" in first
    assert first == second


@pytest.mark.real
@pytest.mark.parametrize("bug", ["publish before commit", "lost cancel"])
def test_a_planted_bug_is_found(bug: str) -> None:
    with plant(bug):
        assert any(simulate(seed).broken for seed in range(60))


def test_at_least_twelve_bugs_are_planted() -> None:
    assert len(BUGS) >= 12


@pytest.mark.parametrize("bug", BUGS.values(), ids=lambda bug: str(bug.name))
def test_what_is_planted_is_called_as_what_it_replaces(bug: Bug) -> None:
    for owner, name, planted in bug.changes:
        signature(planted).bind(*signature(getattr(owner, name)).parameters)


@pytest.mark.real
def test_a_process_that_dies_at_a_fault_point_is_followed_by_another_that_goes_on() -> None:
    kinds: dict[str, int] = {}
    tried = list(tried_at_each(4, 400, 2, kinds))
    assert set(kinds) >= {"before a message to the database", "after a commit", "before a record is written"}
    assert len(tried) == 1 + (sum(kinds.values()) - 1) // 400
    assert all(point.killed for point in tried)
    assert [point.broken for point in tried if point.broken] == []

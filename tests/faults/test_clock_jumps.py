"""The time of day jumps by ten minutes, either way, in mid-work: of one service after another, and of the machine."""

from __future__ import annotations

import asyncio
import mmap
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from assay_local.component import spawn
from assay_local.ports import free_port
from assay_local.service import SERVICES, Service

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
import system_ground as ground
from test_nothing_lost import all_ended, is_under_way, nothing_is_done_twice, nothing_is_lost

pytestmark = [pytest.mark.real, pytest.mark.slow]
JUMP_S = 600
LEASE_S = 20.0
SINCE = timedelta(hours=1)
"""Records may be dated before the test began."""


class JumpingClock:
    """A time of day for processes that are started with `environment`: right until it jumps."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._library, self._file = folder / "clock.so", folder / "clock"
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("a clock that jumps needs a C compiler")
        source = Path(__file__).parent / "clock.c"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(self._library), str(source), "-ldl"], check=True)
        self.set_off(0)
        self._file.chmod(0o644)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "TEST_CLOCK_FILE": str(self._file)}

    def set_off(self, seconds: int) -> None:
        """Wrong by so much from now on, in one go."""
        if not self._file.exists():
            self._file.write_bytes(struct.pack("=q", 0))
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as shared:
            shared[:] = struct.pack("=q", seconds)


def test_the_clock_jumps_for_a_process_and_what_it_waits_by_does_not(tmp_path: Path) -> None:
    clock = JumpingClock(tmp_path)
    program = (
        "import time; print(time.time(), time.monotonic(), flush=True); input(); print(time.time(), time.monotonic())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env=clock.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = [float(one) for one in process.stdout.readline().split()]
        clock.set_off(-JUMP_S)
        after = [float(one) for one in process.communicate("\n", timeout=30)[0].split()]
    assert after[0] - before[0] < -JUMP_S / 2
    assert after[1] >= before[1]


@pytest.mark.timeout(600)
async def test_an_experiment_outlives_jumps_of_the_machines_clock(system, tmp_path: Path) -> None:
    """Of the machine that everything runs on, PostgreSQL and Kafka too."""
    clock = JumpingClock(tmp_path / "clock")
    with system(**clock.environment, ASSAY_LEASE_S=str(LEASE_S)) as whole:
        await asyncio.sleep(LEASE_S + 6)  # from here on silence would count
        for off_s in (JUMP_S, 0, -JUMP_S):
            await jumped_in_the_middle(whole, f"machine {off_s}", {clock: off_s})
            assert await database_off_s(whole) == pytest.approx(off_s, abs=60)


@pytest.mark.timeout(600)
async def test_an_experiment_outlives_services_whose_clocks_jump_apart(system, tmp_path: Path) -> None:
    clocks = {name: JumpingClock(tmp_path / "clocks" / name) for name in SERVICES}
    with system(ASSAY_LEASE_S=str(LEASE_S)) as whole:
        for name, clock in clocks.items():
            await asyncio.to_thread(begin_by_another_clock, whole, name, clock)
        await asyncio.sleep(LEASE_S + 6)
        for scheduler_s, others_s in ((JUMP_S, -JUMP_S), (-JUMP_S, JUMP_S)):
            offs = {clock: scheduler_s if name == "scheduler" else others_s for name, clock in clocks.items()}
            await jumped_in_the_middle(whole, f"scheduler {scheduler_s}", offs)


async def jumped_in_the_middle(whole: Any, name: str, offs: Mapping[JumpingClock, int]) -> None:
    since = ground.now() - SINCE
    long = ground.training(steps=60, checkpoint_every=10)
    run = await asyncio.to_thread(lambda: whole.submit(name=name, seeds=[ground.new_seed()], training=long))
    plan = await asyncio.to_thread(lambda: run.answer(60.0) and run.plan())
    await whole.tape(since, lambda tape: is_under_way(tape, plan, "trainer"), topics=["job.progressed"])
    for clock, off_s in offs.items():
        clock.set_off(off_s)
    await asyncio.to_thread(whole.ended, run, 240.0)
    tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id) and all_ended(tape, plan))
    assert run.result().outcome == "succeeded"
    nothing_is_lost(tape, plan, run)
    nothing_is_done_twice(whole, tape, plan, run)


async def database_off_s(whole: Any) -> float:
    """By how much PostgreSQL's time of day is wrong."""
    connection = await asyncpg.connect(whole.system._database_url)
    try:
        told = await connection.fetchval("SELECT clock_timestamp()")
    finally:
        await connection.close()
    return float((told - ground.now()).total_seconds())


def begin_by_another_clock(whole: Any, name: str, clock: JumpingClock) -> None:
    """A service that runs is ended, and one with a clock of its own takes its place."""
    system = whole.system
    system._supervisors[name].stop()
    environment = lambda: {**system._environment(name), **clock.environment}  # noqa: E731
    service = Service(name, SERVICES[name], free_port(), whole.state / "logs" / f"{name}.log", environment)
    system._services[name] = service
    system._supervise(service, spawn)
    system._await([service])

"""SIGSTOP for longer than Kafka's session: the rest goes on, and nothing is lost or done twice when it wakes."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
import system_ground as ground
from test_nothing_lost import all_ended, is_under_way, nothing_is_done_twice, nothing_is_lost

pytestmark = [pytest.mark.real, pytest.mark.slow]
STOPPED_S = 15.0
"""Kafka expires a member after 10."""
LOCK = "SELECT 1 FROM jobs WHERE key = $1 FOR UPDATE"
WAITS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'assay-scheduler' AND wait_event_type = 'Lock'"
LET_GO_WITHIN_S = 15.0


@pytest.mark.timeout(600)
async def test_a_service_that_is_stopped_past_its_session_costs_nothing(system) -> None:
    with system() as whole:
        for victim in ("trainer", "scheduler", "evaluator", "reporter"):
            await stopped_in_the_middle(whole, victim)


@pytest.mark.timeout(300)
async def test_a_scheduler_that_is_stopped_with_a_row_locked_lets_go_of_it_and_costs_nothing(system) -> None:
    """It waits for a row that a training's signs of life are written to, is stopped, and is given the row."""
    with system(ASSAY_LEASE_S="20") as whole:
        since = ground.now()
        run = whole.submit(name="locked", seeds=[ground.new_seed()], training=ground.training(steps=60))
        plan = run.answer(60.0) and run.plan()
        await whole.tape(since, lambda tape: is_under_way(tape, plan, "scheduler"), topics=["job.progressed"])
        (key,) = [job.key for job in plan.jobs if job.kind == "training"]
        process = whole.process("scheduler")
        connection = await asyncpg.connect(whole.system._database_url, server_settings={"search_path": "scheduler"})
        try:
            async with connection.transaction():
                await connection.execute(LOCK, key)
                while not await connection.fetchval(WAITS):
                    await asyncio.sleep(0.05)
                process.suspend()
            await asyncio.sleep(0.2)
            assert process.status() == "stopped"
            await connection.execute(LOCK, key, timeout=LET_GO_WITHIN_S)
            assert process.status() == "stopped"
        finally:
            process.resume()
            await connection.close()
        await asyncio.to_thread(whole.ended, run, 240.0)
        tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id) and all_ended(tape, plan))
        assert run.result().outcome == "succeeded"
        nothing_is_lost(tape, plan, run)
        nothing_is_done_twice(whole, tape, plan, run)


async def stopped_in_the_middle(whole: Any, victim: str) -> None:
    since = ground.now()
    long = ground.training(steps=40, checkpoint_every=10)
    run = whole.submit(name=victim, seeds=[ground.new_seed()], training=long)
    plan = run.answer(60.0) and run.plan()
    topics = ["job.progressed", "eval.requested"]
    await whole.tape(since, lambda tape: is_under_way(tape, plan, victim), topics=topics)
    process = whole.process(victim)
    assert process is not None
    process.suspend()
    try:
        await asyncio.sleep(STOPPED_S)
    finally:
        process.resume()
    await asyncio.to_thread(whole.ended, run, 240.0)
    tape = await whole.tape(since, lambda tape: tape.of("report.published", run.id) and all_ended(tape, plan))
    assert run.result().outcome == "succeeded"
    nothing_is_lost(tape, plan, run)
    nothing_is_done_twice(whole, tape, plan, run)

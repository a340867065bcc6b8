"""Statements that run all the time read the jobs and experiments that have not ended, however many have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from assay_scheduler.reconciler import Reconciler
from assay_scheduler.store import QUERIES

pytestmark = pytest.mark.real
NOW, WHILE = datetime(2026, 1, 1, tzinfo=UTC), timedelta(minutes=1)
STANDING = {
    "ready_jobs": (NOW,),
    "what_is_due": (NOW,),
    "silent_jobs": (WHILE, WHILE),
    "measure_jobs": (NOW,),
    "measure_experiments": (NOW,),
    "claim_intake": (NOW, WHILE),
    "claim_settling": (NOW, WHILE),
}
LISTS = {
    "experiments_by_owner": ("list_experiments", ("someone", None, None, None, 50)),
    "experiments_by_end": ("list_experiments", (None, "failed", None, None, 50)),
    "jobs_not_succeeded": ("list_jobs", ("failed", None, None, None, 50)),
}
MANY = """
INSERT INTO experiments (id, owner, status, outcome, document, requested_at)
SELECT n::text, 'other', 'ended', 'succeeded', '{}', now() - n * interval '1 minute' FROM generate_series(1, 2000) n;
INSERT INTO jobs (key, kind, status, body) SELECT n::text, 'eval', 'succeeded', '{}' FROM generate_series(1, 2000) n;
INSERT INTO dependencies SELECT n::text, (n - n % 5)::text FROM generate_series(5, 2000) n WHERE n % 5 <> 0;
INSERT INTO attempts (job_key, attempt, requested_at) SELECT n::text, 1, now() FROM generate_series(1, 50) n;
INSERT INTO attempts (job_key, attempt, requested_at, ended_at)
SELECT (1 + n % 2000)::text, 2 + n / 2000, now(), now() FROM generate_series(1, 20000) n;
ANALYZE experiments;
ANALYZE jobs;
ANALYZE dependencies;
ANALYZE attempts;
"""
FEW = {
    "family_of": ("'{7,8}'", ("Seq Scan on dependencies", "Seq Scan on jobs")),
    "lock_family": ("'{7,8}'", ("Seq Scan on dependencies", "Seq Scan on jobs")),
    "save_world": ("'[]', '[]', '[]', '[]', '[]'", ("attempts_open", "Seq Scan on attempts")),
}
"""What a decision reads is a job's family, by keys; and what would read all that there is."""


async def test_a_cancel_is_remembered_as_long_as_its_request_may_come_and_then_forgotten(system) -> None:
    async with system() as running:
        parts = running.parts
        now, day = parts.app.clock.now(), timedelta(days=1)
        async with parts.app.database.connection() as connection:
            for name, age in (("young", 29 * day), ("old", 31 * day), ("came", 31 * day)):
                await connection.execute(QUERIES.remember_cancel, name, "", now - age)
            asked = ("experiment", "n", "o", "MED", {}, "", "", now - 31 * day)
            await connection.execute(QUERIES.add_experiment, "came", *asked)
            await Reconciler(parts.app, parts.commander, parts.settings).forget_cancels()
            kept = await connection.fetch("SELECT id FROM experiments ORDER BY id")
        assert [row["id"] for row in kept] == ["came", "young"]


async def test_a_sign_of_life_is_dated_when_its_row_is_held_not_when_the_wait_for_it_began(system) -> None:
    async with system() as running, running.parts.app.database.transaction() as connection:
        job = "INSERT INTO jobs (key, kind, status, attempt, body) VALUES ('k', 'eval', 'running', 1, '{}')"
        await connection.execute(f"{job}; SELECT pg_sleep(0.05)")
        await connection.execute(QUERIES.note_progress, ["k"], [1], [1], [{}])
        late = await connection.fetchval("SELECT heartbeat_at - now() FROM jobs")
    assert late >= timedelta(seconds=0.05)


async def test_no_standing_statement_reads_what_has_ended(system) -> None:
    async with system() as running, running.parts.app.database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        for name, arguments in STANDING.items():
            rows = await connection.fetch(f"EXPLAIN {getattr(QUERIES, name)}", *arguments)
            plan = "\n".join(row[0] for row in rows)
            assert "Seq Scan on jobs" not in plan, f"{name}\n{plan}"
            assert "Seq Scan on experiments" not in plan, f"{name}\n{plan}"


async def test_lists_of_few_among_many_read_the_few(system) -> None:
    async with system() as running, running.parts.app.database.transaction() as connection:
        await connection.execute(MANY)
        for index, (name, arguments) in LISTS.items():
            rows = await connection.fetch(f"EXPLAIN {getattr(QUERIES, name)}", *arguments)
            plan = "\n".join(row[0] for row in rows)
            assert index in plan, f"{name}\n{plan}"


async def test_a_decision_reads_no_more_than_a_family_of_jobs_also_by_a_plan_that_is_kept(system) -> None:
    async with system() as running, running.parts.app.database.transaction() as connection:
        await connection.execute(MANY)
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        for name, (arguments, whole) in FEW.items():
            await connection.execute(f"PREPARE {name} AS {getattr(QUERIES, name)}")
            rows = await connection.fetch(f"EXPLAIN EXECUTE {name} ({arguments})")
            plan = "\n".join(row[0] for row in rows)
            assert not [one for one in whole if one in plan], f"{name}\n{plan}"

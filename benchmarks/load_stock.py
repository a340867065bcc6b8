"""Fills the scheduler's tables with copies of an experiment, by SQL: far quicker than running each.

Copies are whole: experiment, jobs, dependencies, wants and attempts; their documents are those of the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg

TIMEOUT_S = 600.0
AT_ONCE = 2
YEAR = timedelta(days=365)
MANY = 5000
"""From so many copies on, indexes are built anew at the end instead of for each row: a tenth of the time."""
NEW_KEY = "md5('a' || {key} || n) || md5('b' || {key} || n)"
COPY = {
    "jobs": f"""
INSERT INTO jobs (key, kind, status, priority, attempt, not_before, ready_at, requested_at, heartbeat_at, ended_at,
       body, created_at)
SELECT {NEW_KEY.format(key="key || $2")}, kind, CASE status WHEN 'requested' THEN 'running' ELSE status END, priority,
       attempt, not_before, ready_at - n * $4::interval, requested_at - n * $4, now(), ended_at - n * $4,
       jsonb_set(body, '{{key}}', to_jsonb({NEW_KEY.format(key="key || $2")})), created_at - n * $4
  FROM jobs, generate_series(1, $3::int) AS n
 WHERE key = ANY ($1::text[]);
""",
    "experiments": """
INSERT INTO experiments SELECT ('' || md5(id || $2 || n)::uuid), kind, name || '-' || n, owner, priority, status,
       outcome, cancelled, cancel_reason, document, document_digest, dataschema, problems, plan, plan_ref, result_ref,
       job_count, reused_count, lease_until, tries, requested_at - n * $4::interval,
       accepted_at - n * $4, ended_at - n * $4
  FROM experiments, generate_series(1, $3::int) AS n WHERE id = $1;
""",
    "wants": f"""
INSERT INTO wants SELECT ('' || md5(experiment_id || $2 || n)::uuid), {NEW_KEY.format(key="job_key || $2")}, position,
       arm, reused, reason, job_end FROM wants, generate_series(1, $3::int) AS n WHERE experiment_id = $1;
""",
    "attempts": f"""
INSERT INTO attempts SELECT {NEW_KEY.format(key="job_key || $2")}, attempt, owner, share,
       requested_at - n * $4::interval, ended_at - n * $4, outcome, error, need
  FROM attempts, generate_series(1, $3::int) AS n
 WHERE job_key = ANY ($1::text[]);
""",
    "dependencies": f"""
INSERT INTO dependencies SELECT {NEW_KEY.format(key="job_key || $2")}, {NEW_KEY.format(key="needs || $2")}
  FROM dependencies, generate_series(1, $3::int) AS n
 WHERE job_key = ANY ($1::text[]);
""",
}
SESSION = {"search_path": "scheduler", "maintenance_work_mem": "256MB", "synchronous_commit": "off"}
LEFT_OUT = "UPDATE pg_index SET indisready = false WHERE indrelid = $1::regclass"
TAKEN_UP = "UPDATE pg_index SET indisready = true WHERE indrelid = $1::regclass"
KEYS = "SELECT array_agg(job_key) FROM wants WHERE experiment_id = $1"
LIVE = """SELECT jsonb_agg(jsonb_build_array(key, attempt)) FROM jobs WHERE status = 'running'"""


async def add_stored(url: str, template: str, count: int) -> None:
    """Copies of an experiment that has ended, spread over the year before it."""
    await _copy(url, template, "stored", count, YEAR / max(count, 1))


async def add_live(url: str, template: str, count: int) -> None:
    """Copies of an experiment that runs; its jobs that were asked for are running in the copies."""
    await _copy(url, template, "live", count, timedelta(milliseconds=1))


async def live_jobs(fetchval: Callable[..., Awaitable[Any]]) -> list[tuple[str, int]]:
    """(key, attempt) of every running job."""
    return [(key, attempt) for key, attempt in await fetchval(LIVE) or []]


async def _copy(url: str, template: str, salt: str, count: int, apart: timedelta) -> None:
    """All tables, as many at once as there are processors; then they are vacuumed, as they would be within a year."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def table(name: str, statement: str) -> None:
        async with turns:
            connection = await asyncpg.connect(url, server_settings=SESSION, timeout=10, command_timeout=TIMEOUT_S)
            try:
                await connection.execute("SET session_replication_role = replica")  # copies refer to copies
                keys = await connection.fetchval(
                    "SELECT array_agg(job_key) FROM wants WHERE experiment_id = $1", template
                )
                about = keys if "$1::text[]" in statement else template
                given = (about, salt, count, *([apart] if "$4" in statement else []))
                await _fill(connection, name, statement, given)
                await connection.execute(f"VACUUM (ANALYZE) {name}" if count >= MANY else f"ANALYZE {name}")
            finally:
                await connection.close(timeout=10)

    await asyncio.gather(*(table(name, statement) for name, statement in COPY.items()))
    connection = await asyncpg.connect(url, timeout=10, command_timeout=TIMEOUT_S)
    try:
        await connection.execute("CHECKPOINT")  # what was written goes to the disk now, not while decisions are timed
    finally:
        await connection.close(timeout=10)


async def _fill(connection: Any, table: str, statement: str, given: tuple[Any, ...]) -> None:
    if given[2] < MANY:
        await connection.execute(statement, *given)
        return
    async with connection.transaction():
        await connection.execute(LEFT_OUT, table)
        await connection.execute(statement, *given)
        await connection.execute(TAKEN_UP, table)
        await connection.execute(f"REINDEX TABLE {table}")

"""Fills the scheduler's tables with copies of an experiment, by SQL: far quicker than running each.

Copies are whole: experiment, jobs, dependencies, wants and attempts; their documents are those of the first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg

CHUNK = 2000
TIMEOUT_S = 600.0
YEAR = timedelta(days=365)
NEW_KEY = "md5('a' || {key} || n) || md5('b' || {key} || n)"
COPY = """
INSERT INTO experiments SELECT ('' || md5(id || $2 || n)::uuid), kind, name || '-' || n, owner, priority, status,
       outcome, cancelled, cancel_reason, document, document_digest, dataschema, problems, plan, plan_ref, result_ref,
       job_count, reused_count, lease_until, tries, requested_at - n * $5::interval,
       accepted_at - n * $5, ended_at - n * $5
  FROM experiments, generate_series($3::int, $4::int) AS n WHERE id = $1;
""", f"""
INSERT INTO jobs (key, kind, status, priority, attempt, not_before, ready_at, requested_at, heartbeat_at, ended_at,
       body, created_at)
SELECT {NEW_KEY.format(key="key || $2")}, kind, CASE status WHEN 'requested' THEN 'running' ELSE status END, priority,
       attempt, not_before, ready_at - n * $5::interval, requested_at - n * $5, now(), ended_at - n * $5,
       jsonb_set(body, '{{key}}', to_jsonb({NEW_KEY.format(key="key || $2")})), created_at - n * $5
  FROM jobs, generate_series($3::int, $4::int) AS n
 WHERE key IN (SELECT job_key FROM wants WHERE experiment_id = $1);
""", f"""
INSERT INTO dependencies SELECT {NEW_KEY.format(key="job_key || $2")}, {NEW_KEY.format(key="needs || $2")}
  FROM dependencies, generate_series($3::int, $4::int) AS n
 WHERE job_key IN (SELECT job_key FROM wants WHERE experiment_id = $1);
""", f"""
INSERT INTO wants SELECT ('' || md5(experiment_id || $2 || n)::uuid), {NEW_KEY.format(key="job_key || $2")}, position,
       arm, reused, reason, job_end FROM wants, generate_series($3::int, $4::int) AS n WHERE experiment_id = $1;
""", f"""
INSERT INTO attempts SELECT {NEW_KEY.format(key="job_key || $2")}, attempt, owner, share,
       requested_at - n * $5::interval, ended_at - n * $5, outcome, error, need
  FROM attempts, generate_series($3::int, $4::int) AS n
 WHERE job_key IN (SELECT job_key FROM wants WHERE experiment_id = $1);
"""  # fmt: skip
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
    connection = await asyncpg.connect(url, server_settings={"search_path": "scheduler"}, timeout=10)
    try:
        await connection.execute("SET session_replication_role = replica")  # copies refer to copies
        for first in range(1, count + 1, CHUNK):
            last = min(first + CHUNK - 1, count)
            async with connection.transaction():
                for statement in COPY:
                    given = (template, salt, first, last, *([apart] if "$5" in statement else []))
                    await connection.execute(statement, *given, timeout=TIMEOUT_S)
        for table in ("experiments", "jobs", "dependencies", "wants", "attempts"):
            await connection.execute(f"ANALYZE {table}", timeout=TIMEOUT_S)
    finally:
        await connection.close(timeout=10)

"""What admission counts as held: what stands in open attempts is what their jobs say, also for attempts of before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import contract_cases as cases
import pytest
import scheduler_stand_ins as stand_ins
from assay_scheduler.store import QUERIES

pytestmark = pytest.mark.real
FROM_JOBS = """
SELECT kind, body -> 'hardware' AS hardware, body -> 'inputs' ->> 'policy' AS policy, attempts.owner, count(*) AS jobs
  FROM jobs JOIN attempts ON attempts.job_key = jobs.key AND attempts.attempt = jobs.attempt
 WHERE status IN ('requested', 'running', 'cancelling')
 GROUP BY 1, 2, 3, 4"""


def told(rows: list[Any]) -> list[str]:
    return sorted(str(dict(row)) for row in rows)


def unless_evaluation(kind: str, request: dict[str, Any]) -> dict[str, Any] | None:
    return None if kind == "eval" else stand_ins.succeeded(kind, request)


async def test_open_attempts_hold_what_their_jobs_need(system, files: Path) -> None:
    document = cases.minimal(files) | {"hardware": {"cpus": 1, "memory_gib": 1}, "owner": "alice"}
    async with system(capacity_cpus=64, answer=unless_evaluation) as running:
        await running.http.post("/experiments", json=document)
        await running.until(lambda: running.workers.asked("eval"))
        held = told(await running.fetch(QUERIES.held_resources))
        assert held == told(await running.fetch(FROM_JOBS)) != []
        await running.fetch("UPDATE attempts SET need = NULL")
        assert told(await running.fetch(QUERIES.held_resources)) == held

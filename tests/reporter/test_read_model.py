"""The read model on real PostgreSQL: what was heard of a job is the same whatever order it came in."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import permutations

import pytest
from assay_chassis.database import Database
from assay_chassis.migrations import migrate
from assay_reporter.store import COMPLETED_SEQUENCE, JobNews, ReadModel

from simulation.database.reporter_statements import outranks

pytestmark = pytest.mark.real
FIRST = JobNews("key", 1, 7, "running", 3, 10, "", None, datetime(2026, 1, 2, tzinfo=UTC))
DONE_LATE = replace(FIRST, sequence=COMPLETED_SEQUENCE, state="succeeded", step=0)
SECOND = replace(FIRST, attempt=2, sequence=9, step=1)
STOPPED = replace(SECOND, sequence=COMPLETED_SEQUENCE, state="cancelled")


async def test_a_success_of_an_earlier_attempt_holds_in_every_order_also_in_the_simulation(database_url: str) -> None:
    database = await Database.connect(database_url, schema="reporter")
    try:
        await migrate(database, "assay_chassis", "assay_reporter")
        async with database.connection() as connection:
            model = ReadModel(connection)
            for number, order in enumerate(permutations((FIRST, DONE_LATE, SECOND, STOPPED))):
                known = asdict(order[0])
                for news in order:
                    await model.heard(replace(news, key=str(number)))
                    known = asdict(news) if outranks(asdict(news), known) else known
                row = await connection.fetchrow("SELECT * FROM jobs WHERE job_key = $1", str(number))
                assert (row["state"], row["attempt"]) == ("succeeded", 1), order
                assert (known["state"], known["attempt"]) == ("succeeded", 1), order
    finally:
        await database.close()

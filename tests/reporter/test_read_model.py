"""The read model on real PostgreSQL: what was heard is the same whatever order it came in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from assay_chassis.database import Database
from assay_chassis.migrations import migrate
from assay_reporter.store import COMPLETED_SEQUENCE, JobNews, ReadModel
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.events import ExperimentAccepted, ExperimentCompleted

from simulation.database.reporter_statements import outranks

pytestmark = pytest.mark.real
FIRST = JobNews("key", 1, 7, "running", 3, 10, "", None, datetime(2026, 1, 2, tzinfo=UTC))
DONE_LATE = replace(FIRST, sequence=COMPLETED_SEQUENCE, state="succeeded", step=0)
SECOND = replace(FIRST, attempt=2, sequence=9, step=1)
STOPPED = replace(SECOND, sequence=COMPLETED_SEQUENCE, state="cancelled")

ACCEPTED_AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
PLACE = ArtifactRef(uri="file:///store/plan.json", sha256="0" * 64, size=1)


@asynccontextmanager
async def read_model(url: str) -> AsyncIterator[tuple[ReadModel, Any]]:
    database = await Database.connect(url, schema="reporter")
    try:
        await migrate(database, "assay_chassis", "assay_reporter")
        async with database.connection() as connection:
            yield ReadModel(connection), connection
    finally:
        await database.close()


@pytest.mark.parametrize("off", [timedelta(hours=-1), timedelta(hours=1)], ids=["clock behind", "clock ahead"])
async def test_an_experiment_was_first_seen_when_it_was_accepted_whatever_came_first(
    database_url: str, off: timedelta
) -> None:
    """The end may come first, and from a scheduler whose clock differs from that of the one that accepted."""
    async with read_model(database_url) as (model, connection):
        for number, order in enumerate(permutations(("accepted", "completed"))):
            common = {"experiment_id": str(UUID(int=number)), "name": "n", "owner": "me", "jobs": 1, "reused": 0}
            for what in order:
                if what == "accepted":
                    await model.accepted(ExperimentAccepted(**common, plan=PLACE), ACCEPTED_AT, [])
                else:
                    ended = ExperimentCompleted(**common, outcome="succeeded", result=PLACE)
                    await model.completed(ended, ACCEPTED_AT + off, "event")
        rows = await connection.fetch("SELECT id, first_seen_at FROM experiments")
        assert {row["first_seen_at"] for row in rows} == {ACCEPTED_AT}
        assert len(rows) == 2


async def test_a_success_of_an_earlier_attempt_holds_in_every_order_also_in_the_simulation(database_url: str) -> None:
    async with read_model(database_url) as (model, connection):
        for number, order in enumerate(permutations((FIRST, DONE_LATE, SECOND, STOPPED))):
            known = asdict(order[0])
            for news in order:
                await model.heard([replace(news, key=str(number))])
                known = asdict(news) if outranks(asdict(news), known) else known
            row = await connection.fetchrow("SELECT * FROM jobs WHERE job_key = $1", str(number))
            assert (row["state"], row["attempt"]) == ("succeeded", 1), order
            assert (known["state"], known["attempt"]) == ("succeeded", 1), order


@pytest.mark.parametrize(
    ("search", "found"),
    [("50%", {"50% of A"}), ("a_b", {"a_b"}), ("\\", {"back\\slash"}), ("OF a", {"50% of A"}), ("%", {"50% of A"})],
)
async def test_the_list_is_searched_for_text_as_it_stands(database_url: str, search: str, found: set[str]) -> None:
    async with read_model(database_url) as (model, _):
        names = ["50% of A", "a_b", "axb", "back\\slash"]
        for number, name in enumerate(names, 1):
            common = {"experiment_id": str(UUID(int=number * 16**24)), "name": name, "owner": "me", "jobs": 1}
            await model.accepted(ExperimentAccepted(**common, reused=0, plan=PLACE), ACCEPTED_AT, [])
        assert {row["name"] for row in await model.experiments(search=search)} == found
        assert [row["name"] for row in await model.experiments(search=str(UUID(int=3 * 16**24))[:8])] == ["axb"]

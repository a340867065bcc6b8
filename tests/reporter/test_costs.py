"""What work cost by owner and month: every attempt once, paid for by who had it done first."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from assay_chassis.database import Database
from assay_chassis.migrations import migrate
from assay_reporter.store import ReadModel
from assay_reporter.web.costs import costs_of
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.events import TrainingCompleted
from assay_schemas.jobs import JobError, Usage

MAY, JUNE = (datetime(2026, month, 10, tzinfo=UTC) for month in (5, 6))
RESULT = ArtifactRef(uri="file:///r", sha256="0" * 64, size=1)


def test_seconds_become_hours_and_shares_are_of_their_month() -> None:
    months = [
        {"month": "2026-06", "owner": "a", "gpu_s": 7200.0, "cpu_s": 0.0, "lost_gpu_s": None},
        {"month": "2026-06", "owner": "b", "gpu_s": 3600.0, "cpu_s": 36.0, "lost_gpu_s": 360.0},
        {"month": "2026-05", "owner": "b", "gpu_s": 0.0, "cpu_s": 36.0, "lost_gpu_s": 0.0},
    ]
    found = costs_of(months, [])
    assert [round(row["share"], 2) for row in found.months] == [0.67, 0.33, 1.0]
    assert (found.months[0]["gpu_hours"], found.months[0]["lost_gpu_hours"]) == (2.0, 0.0)
    assert (found.gpu_hours, round(found.core_hours, 2)) == (3.0, 0.02)


@pytest.mark.real
async def test_a_shared_job_is_paid_for_once_and_what_reuse_saved_is_counted(database_url: str) -> None:
    database = await Database.connect(database_url, schema="reporter")
    await migrate(database, "assay_chassis", "assay_reporter")
    async with database.transaction() as connection:
        model = ReadModel(connection)
        for name, owner, reused, at in (("first", "a", False, MAY), ("second", "b", True, JUNE)):
            await connection.execute(
                "INSERT INTO experiments (id, name, owner, status, first_seen_at) VALUES ($1, $1, $2, 'running', $3)",
                name, owner, at,
            )  # fmt: skip
            await connection.execute(
                "INSERT INTO experiment_jobs VALUES ($1, 0, $2, 'training', 'train', $3)", name, "1" * 64, reused
            )
        lost = JobError.of("lost", "gone", retryable=True)
        for attempt, gpu_s, error in ((1, 1800.0, lost), (2, 3600.0, None), (2, 3600.0, None)):
            ended = TrainingCompleted(
                job_key="1" * 64,
                attempt=attempt,
                outcome="failed" if error else "succeeded",
                error=error,
                result=None if error else RESULT,
                completed_at=MAY,
                usage=Usage(gpu_s=gpu_s),
            )
            await model.used([ended])
        found = costs_of(await model.costs_by_month(MAY, ""), await model.costs_by_experiment(MAY, "", 10))
        assert await model.costs_by_month(JUNE, "") == []
        said = TrainingCompleted(job_key="2" * 64, attempt=1, outcome="succeeded", result=RESULT, completed_at=MAY)
        await model.used([said])
        assert len(await model.costs_by_month(MAY, "")) == 1
    await database.close()
    (month,) = found.months
    assert (month["owner"], month["attempts"], month["without_result"]) == ("a", 2, 1)
    assert (month["gpu_hours"], month["lost_gpu_hours"]) == (1.5, 0.5)
    assert {one["name"]: (one["gpu_hours"], one["saved_gpu_hours"]) for one in found.experiments} == {
        "first": (1.5, 0.0),
        "second": (0.0, 1.0),
    }

"""The read model in Postgres: what was heard of experiments and jobs, and which reports are due.

Only statements of `queries.sql`; decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assay_chassis.queries import Queries
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.events import ExperimentAccepted, ExperimentCompleted, ExperimentRejected, JobCompleted
from assay_schemas.jobs import Usage

from assay_reporter.evidence import Baseline

QUERIES = Queries.load("assay_reporter")
COMPLETED_SEQUENCE = 2**63 - 1


@dataclass(frozen=True)
class JobRow:
    """One job of an experiment's plan, and what it does in words."""

    key: str
    kind: str
    title: str
    reused: bool


@dataclass(frozen=True)
class JobNews:
    """What was last heard of a job; completions outrank every progress of their attempt."""

    key: str
    attempt: int
    sequence: int
    state: str
    step: int
    total: int
    message: str
    eta_s: float | None
    at: datetime


@dataclass(frozen=True)
class CurvePoint:
    """What a training measured at a step; `bucket` is which of its thousand places for points the step falls into."""

    key: str
    attempt: int
    bucket: int
    step: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class DueReport:
    experiment_id: str
    result: ArtifactRef
    caused_by: str
    tries: int


class ReadModel:
    """The read model on one connection, which may be inside a transaction."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def accepted(self, event: ExperimentAccepted, at: datetime, jobs: Iterable[JobRow]) -> None:
        await self._connection.execute(
            QUERIES.experiment_accepted,
            event.experiment_id, event.name, event.owner, event.question, event.jobs, event.reused, at,
        )  # fmt: skip
        rows = [
            (event.experiment_id, place, job.key, job.kind, job.title, job.reused) for place, job in enumerate(jobs)
        ]
        await self._connection.executemany(QUERIES.add_experiment_job, rows)

    async def rejected(self, event: ExperimentRejected, at: datetime) -> None:
        problems = [problem.model_dump() for problem in event.problems]
        await self._connection.execute(
            QUERIES.experiment_rejected, event.experiment_id, event.name, event.owner, problems, at
        )

    async def completed(self, event: ExperimentCompleted, at: datetime, event_id: str) -> None:
        """Notes the outcome, and that a report is due."""
        await self._connection.execute(
            QUERIES.experiment_completed,
            event.experiment_id, event.name, event.owner, event.outcome, event.jobs, event.reused, at,
        )  # fmt: skip
        result = event.result.model_dump(mode="json")
        await self._connection.execute(QUERIES.add_report, event.experiment_id, result, event_id)

    async def heard(self, news: Iterable[JobNews]) -> None:
        """Rows are written in the order of their keys, so that no two transactions wait for each other in a ring."""
        rows = [
            (one.key, one.attempt, one.sequence, one.state, one.step, one.total, one.message, one.eta_s, one.at)
            for one in sorted(news, key=lambda one: one.key)
        ]
        await self._connection.executemany(QUERIES.job_heard, rows)

    async def used(self, events: Iterable[JobCompleted]) -> None:
        """What attempts cost; said again, it changes nothing."""
        rows = [
            (
                one.job_key,
                one.attempt,
                one.outcome,
                one.usage.wall_s,
                one.usage.cpu_s,
                one.usage.gpu_s,
                one.completed_at,
            )
            for one in sorted(events, key=lambda one: one.job_key)
        ]
        await self._connection.executemany(QUERIES.add_usage, rows)

    async def usage_of(self, attempts: Sequence[tuple[str, int]]) -> dict[tuple[str, int], Usage]:
        """What those of these attempts (job key, number) took that have told it."""
        keys, numbers = [key for key, _ in attempts], [number for _, number in attempts]
        rows = await self._connection.fetch(QUERIES.usage_of_attempts, keys, numbers)
        return {
            (row["job_key"], row["attempt"]): Usage(wall_s=row["wall_s"], cpu_s=row["cpu_s"], gpu_s=row["gpu_s"])
            for row in rows
        }

    async def costs_by_month(self, since: datetime, owner: str) -> list[dict[str, Any]]:
        """Seconds used by month and owner, newest month and greatest use first."""
        return [dict(row) for row in await self._connection.fetch(QUERIES.costs_by_month, since, owner)]

    async def costs_by_experiment(self, since: datetime, owner: str, limit: int) -> list[dict[str, Any]]:
        """Seconds used and saved by experiment, the dearest first."""
        return [dict(row) for row in await self._connection.fetch(QUERIES.costs_by_experiment, since, owner, limit)]

    async def curve_points(self, points: Iterable[CurvePoint]) -> None:
        """Points of jobs' curves; the first of each bucket is kept."""
        rows = [(one.key, one.attempt, one.bucket, one.step, one.metrics) for one in points]
        await self._connection.executemany(QUERIES.add_curve_point, sorted(rows, key=lambda row: row[:3]))

    async def curves(self, experiment_id: str) -> list[dict[str, Any]]:
        """title, step and metrics of every point of every training job's latest attempt, in order."""
        return [dict(row) for row in await self._connection.fetch(QUERIES.curves_of_experiment, experiment_id)]

    async def take_due_report(self) -> DueReport | None:
        """A report to make, locked until the transaction ends."""
        row = await self._connection.fetchrow(QUERIES.take_due_report)
        if row is None:
            return None
        return DueReport(
            row["experiment_id"], ArtifactRef.model_validate(row["result"]), row["caused_by"], row["tries"]
        )

    async def report_made(self, experiment_id: str, sentence: str) -> None:
        await self._connection.execute(QUERIES.report_made, experiment_id)
        await self._connection.execute(QUERIES.concluded, experiment_id, sentence)

    async def first_baselines(self, found: Mapping[str, Baseline]) -> dict[str, Baseline]:
        """Remembers the baselines that are new, or older than what is known: a rebuild reads events in another order.

        What was first measured in the place of each, by the same names."""
        rows = [(one.key, one.experiment_id, one.value, one.half_width, one.measured_at) for one in found.values()]
        await self._connection.executemany(QUERIES.add_baseline, rows)
        stored = await self._connection.fetch(QUERIES.get_baselines, [one.key for one in found.values()])
        first = {row["key"]: Baseline(**row) for row in stored}
        return {name: first[one.key] for name, one in found.items()}

    async def report_delayed(self, experiment_id: str, failure: str, seconds: float) -> None:
        await self._connection.execute(QUERIES.report_delayed, experiment_id, failure, seconds)

    async def report_waits(self, experiment_id: str, seconds: float) -> None:
        """The report is due later, and nothing went wrong."""
        await self._connection.execute(QUERIES.report_waits, experiment_id, seconds)

    async def report_failed(self, experiment_id: str, failure: str) -> None:
        await self._connection.execute(QUERIES.report_failed, experiment_id, failure)

    async def failed_reports_again(self, tries: int) -> None:
        """Makes every report that was given up due once more, as after so many tries."""
        await self._connection.execute(QUERIES.failed_reports_again, tries)

    async def experiments(
        self, *, owner: str = "", status: str = "", search: str = "", before: datetime | None = None, limit: int = 50
    ) -> list[dict[str, Any]]:
        """Newest first; `before` is the cursor: the `first_seen_at` of the last row of the page before."""
        rows = await self._connection.fetch(QUERIES.list_experiments, owner, status, search, before, limit)
        return [dict(row) for row in rows]

    async def owners(self) -> list[str]:
        return [row["owner"] for row in await self._connection.fetch(QUERIES.list_owners)]

    async def experiment(self, experiment_id: str) -> dict[str, Any] | None:
        row = await self._connection.fetchrow(QUERIES.get_experiment, experiment_id)
        return None if row is None else dict(row)

    async def jobs(self, experiment_id: str) -> list[dict[str, Any]]:
        return [dict(row) for row in await self._connection.fetch(QUERIES.jobs_of_experiment, experiment_id)]

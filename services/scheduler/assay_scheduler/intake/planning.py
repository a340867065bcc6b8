"""Plans with memory: the pure plan, and for every job whether it was done before, and if not, why not.

Reads what is known of earlier jobs; takes no lock and changes nothing, so its word is as of now.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay_chassis.app import ServiceApp
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.ids import JobKind
from assay_schemas.jobs import JobInputs
from assay_schemas.results import Plan, PlannedJob
from pydantic import TypeAdapter

from assay_scheduler.findings import Findings
from assay_scheduler.intake.costing import Costing
from assay_scheduler.planner import plan_experiment
from assay_scheduler.reuse import Earlier, assess, nearest_difference
from assay_scheduler.states import Job
from assay_scheduler.store import QUERIES, job_of

COMPARED = 64
_INPUTS: TypeAdapter[JobInputs] = TypeAdapter(JobInputs)


class Planning:
    def __init__(self, app: ServiceApp, costing: Costing) -> None:
        self._app = app
        self._costing = costing

    async def plan(
        self, spec: ExperimentSpec, findings: Findings, *, experiment_id: str, owner: str, warnings: list[str]
    ) -> Plan:
        """The plan, with each job's `reused` and `reason` filled in, and what it will cost."""
        plan = plan_experiment(spec, findings, experiment_id=experiment_id, owner=owner, warnings=warnings)
        existing = await self._existing([job.key for job in plan.jobs])
        earlier = await self._earlier({job.kind for job in plan.jobs if job.key not in existing}, experiment_id)
        jobs = [_judged(job, existing.get(job.key), earlier) for job in plan.jobs]
        judged = plan.model_copy(update={"jobs": jobs})
        return judged.model_copy(update={"cost": await self._costing.of(judged)})

    async def reason(self, inputs: JobInputs, experiment_id: str) -> str:
        """Why no earlier job fits these inputs."""
        return nearest_difference(inputs, await self._earlier({inputs.kind}, experiment_id))

    async def _existing(self, keys: Sequence[str]) -> dict[str, Job]:
        async with self._app.database.connection() as connection:
            return {row["key"]: job_of(row) for row in await connection.fetch(QUERIES.read_jobs, list(keys))}

    async def _earlier(self, kinds: set[JobKind], experiment_id: str) -> list[Earlier]:
        """The latest jobs of these kinds, newest first within each."""
        if not kinds:
            return []
        async with self._app.database.connection() as connection:
            rows = await connection.fetch(QUERIES.recent_jobs, sorted(kinds), experiment_id, COMPARED)
        return [Earlier(_INPUTS.validate_python(row["inputs"]), _origin(row)) for row in rows]


def _origin(row: dict[str, str]) -> str:
    """Names an earlier job for a person: experiment prompting-strategies (1b9d6bcd), arm strategy-a."""
    arm = f", arm {row['arm']}" if row["arm"] else ""
    return f"experiment {row['name']} ({row['id'][:8]}){arm}"


def _judged(planned: PlannedJob, existing: Job | None, earlier: Sequence[Earlier]) -> PlannedJob:
    if existing is None:
        return planned.model_copy(update={"reason": nearest_difference(planned.inputs, earlier)})
    judged = assess(existing)
    return planned.model_copy(update=vars(judged))

"""A job with everything it depends on, as it would be if nothing had been done: for trying it again by itself.

An experiment that saw the job fail keeps that end; retrying the experiment is its own request.
"""

from __future__ import annotations

from typing import Any

from assay_scheduler.states import Job, Wanted
from assay_scheduler.store import QUERIES, job_of


async def lineage_of(connection: Any, key: str) -> tuple[Wanted, ...]:
    """The job last, after all it depends on; empty when there is no such job."""
    generations: list[list[Job]] = []
    wanted = [key]
    while wanted:
        generation = [job_of(row) for row in await connection.fetch(QUERIES.read_jobs, wanted)]
        generations.append(generation)
        wanted = sorted({parent for job in generation for parent in job.depends_on})
    jobs = {job.key: job for generation in reversed(generations) for job in generation}
    return tuple(Wanted(_blank(job), reason="asked for again") for job in jobs.values())


def _blank(job: Job) -> Job:
    """The job as it was planned, without what came of it."""
    model = None if job.depends_on else job.model
    return Job(job.key, job.kind, job.inputs, job.depends_on, hardware=job.hardware, model=model, dataset=job.dataset)

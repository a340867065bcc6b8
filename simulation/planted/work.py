"""Planted bugs of the services that run jobs: fencing, and the ends of runs."""

from __future__ import annotations

from assay_chassis.compute.base import RunStatus
from assay_chassis.job_service.completions import completion_event, ended, succeeded
from assay_chassis.job_service.job_type import JobType
from assay_chassis.job_service.monitor import Monitor, correlation_of
from assay_chassis.job_service.records import JobRecords, KnownEnds

from simulation.parts.compute import Cluster, ClusterBackend
from simulation.planted.bug import bug


async def _stops_none(_self: ClusterBackend, _kind: str, _job_key: str, _attempt: int) -> list[str]:
    return []


async def _forget_first(self: Monitor, job_type: JobType, status: RunStatus) -> None:
    run = status.run
    found = await self._records.manifest(job_type, run.job_key, run.attempt)
    completion = succeeded(job_type, run.attempt, *found) if found else ended(job_type, status, self._clock.now())
    await self._backend.forget(status.name)
    await self._records.write_completion(completion)
    await self._publisher.publish(completion_event(job_type, completion, self._source, correlation_of(run)))


async def _remembers_nothing(_self: JobRecords, _job_key: str) -> KnownEnds:
    return KnownEnds()


BUGS = (
    bug(
        "no fencing",
        "a new attempt begins without stopping the older ones",
        (ClusterBackend, "stop_older", _stops_none),
    ),
    bug(
        "forgotten before published",
        "a run is dropped before its end is stored and published",
        (Monitor, "_end", _forget_first),
    ),
    bug(
        "ends forgotten",
        "a request that comes again after its attempt ended is done again: neither service nor worker looks",
        (JobRecords, "ends", _remembers_nothing),
        (Cluster, "_has_ended", lambda _self, _run: False),
    ),
)

"""The service's part of the cluster: copies of its Jobs, RayJobs, pods and workloads, and what changes them.
Never judges what it sees; `seeing` does."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import structlog

from assay_chassis.clock import Clock
from assay_chassis.compute.base import JobRun, keys_of
from assay_chassis.compute.errors import ResourcesUnavailable
from assay_chassis.compute.kubernetes.api import KubernetesApi, Object
from assay_chassis.compute.kubernetes.checks import MANIFESTS, check_cluster, has_ray_jobs
from assay_chassis.compute.kubernetes.errors import (
    ClusterUnavailable,
    Conflict,
    Forbidden,
    NotThere,
    Refusal,
    Unprocessable,
)
from assay_chassis.compute.kubernetes.essence import RUN, essence
from assay_chassis.compute.kubernetes.happenings import lines_of
from assay_chassis.compute.kubernetes.informer import Informer
from assay_chassis.compute.kubernetes.local_queue import Queue, Reading
from assay_chassis.compute.kubernetes.manifest import CONTAINER, Manifest, job_name, selector
from assay_chassis.compute.kubernetes.ray_job import RAY, RAY_JOBS, VERSION
from assay_chassis.compute.kubernetes.seeing import Seen, see
from assay_chassis.compute.kubernetes.seeing_machines import are_machines, see_machines
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

SYNC_S = 30.0
MOST_EVENTS = 50
LOST_NAMESPACE = (
    f"where it was deleted, create it again with {MANIFESTS}; else give the service account its permissions back; "
    "it is tried again"
)
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Look:
    """The objects of a run as they were when it was looked at, and what they mean."""

    objects: tuple[Object | None, ...]
    seen: Seen


class Cluster:
    """One connection to the cluster; `start` it first."""

    def __init__(
        self, api: KubernetesApi, settings: KubernetesSettings, service: str, kueue: str, has_ray_jobs: bool
    ) -> None:
        self._api = api
        self._settings = settings
        self._queues = {name: Queue(api, settings, kueue, name) for name in settings.queues}
        namespace = settings.namespace
        self._jobs_path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods_path = f"/api/v1/namespaces/{namespace}/pods"
        self._events_path = f"/api/v1/namespaces/{namespace}/events"
        self._jobs = Informer(api, self._jobs_path, selector(service), keep=essence, keys=_keys_of_job)
        self._pods = Informer(api, self._pods_path, selector(service), keep=essence, keys=_run_of)
        self._workloads = Informer(api, f"{kueue}/namespaces/{namespace}/workloads", keep=essence, keys=_owners)
        self._ray_jobs_path = f"/apis/{VERSION}/namespaces/{namespace}/{RAY_JOBS}"
        ray_jobs = Informer(api, self._ray_jobs_path, selector(service), keep=essence, keys=_keys_of_job)
        self._ray_jobs = ray_jobs if has_ray_jobs else None

    @classmethod
    async def connect(cls, settings: KubernetesSettings, service: str, clock: Clock) -> Cluster:
        """Raises ClusterMisconfigured for what the cluster lacks, and ClusterUnavailable."""
        async with AsyncExitStack() as opened:
            api = await KubernetesApi.connect(settings.kubeconfig)
            opened.push_async_callback(api.close)
            kueue = await check_cluster(api, settings, clock)
            cluster = cls(api, settings, service, kueue, await has_ray_jobs(api, settings))
            for informer in cluster._informers:
                opened.push_async_callback(informer.close)
            await asyncio.gather(*(informer.start(SYNC_S) for informer in cluster._informers))
            opened.pop_all()
        return cluster

    @property
    def _informers(self) -> tuple[Informer, ...]:
        always = (self._jobs, self._pods, self._workloads)
        return always if self._ray_jobs is None else (*always, self._ray_jobs)

    @property
    def _known_ray_jobs(self) -> Mapping[str, Object]:
        return self._ray_jobs.objects if self._ray_jobs is not None else {}

    def _path_of(self, run: JobRun) -> str:
        return self._ray_jobs_path if run.machines > 1 else self._jobs_path

    async def close(self) -> None:
        for informer in self._informers:
            await informer.close()
        await self._api.close()

    def runs(self, key: str | None = None) -> list[str]:
        """The names of the runs that have a Job or RayJob: all, or those with one of the `keys_of` a run's name."""
        informers = [informer for informer in (self._jobs, self._ray_jobs) if informer is not None]
        if key is None:
            jobs = [job for informer in informers for job in informer.objects.values() if _is_of_run(job)]
        else:
            jobs = [job for informer in informers for job in informer.having(key)]
        return [job["metadata"]["annotations"][RUN] for job in jobs]

    def look(self, name: str, before: Look | None = None) -> Look:
        """Where a run is, from the copies: no call to the API server. `before` itself where nothing changed."""
        key = job_name(name)
        job, ray_job = self._jobs.objects.get(key), self._known_ray_jobs.get(key)
        found = job or ray_job
        owned = self._workloads.having(found["metadata"]["uid"]) if found else ()
        workload, pods = owned[-1] if owned else None, self._pods.having(key)
        objects = (job, ray_job, workload, *pods)
        if before is not None and _are_the_same(objects, before.objects):
            return before
        if ray_job is not None or are_machines(pods):
            return Look(objects, see_machines(ray_job, workload, pods))
        return Look(objects, see(job, workload, pods))

    async def create(self, run: JobRun, manifest: Manifest) -> None:
        """Create the run's Job or RayJob, unless it is there already.

        Raises ResourcesUnavailable for one that the API server can never take, and ClusterUnavailable."""
        try:
            created = await self._api.create(self._path_of(run), manifest)
            (self._ray_jobs if run.machines > 1 and self._ray_jobs is not None else self._jobs).add(created)
        except Conflict:
            return
        except Unprocessable as error:
            raise ResourcesUnavailable("hardware", error.message, "ask for what the cluster takes") from error
        except (NotThere, Forbidden) as error:
            problem = f"namespace {self._settings.namespace} takes no jobs: {error.message}"
            raise ClusterUnavailable(problem, LOST_NAMESPACE) from error

    async def delete(self, run: JobRun) -> None:
        """Delete what a run has on the cluster and its pods, which are asked to end first. Gone already: no change."""
        try:
            await self._api.delete(f"{self._path_of(run)}/{job_name(run.name)}")
        except NotThere:
            return

    async def check_fits(self, run: JobRun) -> None:
        """Raises ResourcesUnavailable for a run that the queue can never hold, where that may be read, and for
        one on several machines where there are no RayJobs."""
        if run.machines > 1 and self._ray_jobs is None:
            raise ResourcesUnavailable(
                "hardware.nodes",
                f"{run.machines} asked, and the cluster has no {RAY_JOBS}.{RAY} that this service may use",
                f"install KubeRay and apply {MANIFESTS}, then start the service again; or set hardware.nodes to 1",
            )
        await self._queues[self._settings.queue_of(run)].check_fits(run)

    async def stay_fresh(self, run: JobRun) -> Reading | None:
        """The quota of the run's queue, by a reading of the last minute: the same object while it is the same."""
        return await self._queues[self._settings.queue_of(run)].stay_fresh()

    async def quotas(self) -> Mapping[str, Reading | None]:
        """Those of the queues whose quota was ever asked for, by queue."""
        return {name: await queue.stay_fresh() for name, queue in self._queues.items() if queue.was_read}

    def never_fits(self, run: JobRun) -> str | None:
        """Why a run that waits would wait for ever, by the last reading: quotas change."""
        return self._queues[self._settings.queue_of(run)].never_fits(run)

    async def logs(self, pod: str, tail: int) -> str | None:
        """The last lines of a pod's output; None where the cluster does not have them."""
        try:
            return await self._api.text(f"{self._pods_path}/{pod}/log", container=CONTAINER, tailLines=tail)
        except Refusal as error:
            log.debug("the log of a pod is not there", pod=pod, error=str(error))
            return None

    async def events(self, names: Sequence[str]) -> str:
        """What happened to the objects of these names in the last hour, in lines; empty where that may not be read."""
        try:
            found = [await self._api.get(self._events_path, **_about(name)) for name in names]
        except Refusal as error:
            log.debug("the events of a run are not there", names=names, error=str(error))
            return ""
        return lines_of(event for answer in found for event in answer["items"])


def _about(name: str) -> dict[str, str | int]:
    return {"fieldSelector": f"involvedObject.name={name}", "limit": MOST_EVENTS}


def _is_of_run(job: Object) -> bool:
    return RUN in job["metadata"]["annotations"]


def _keys_of_job(job: Object) -> Sequence[str]:
    return keys_of(job["metadata"]["annotations"][RUN]) if _is_of_run(job) else ()


def _run_of(pod: Object) -> Sequence[str]:
    name = pod["metadata"]["labels"].get(RUN)
    return () if name is None else (name,)


def _owners(item: Object) -> Sequence[str]:
    return [owner["uid"] for owner in item["metadata"]["ownerReferences"]]


def _are_the_same(some: Sequence[object], others: Sequence[object]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))

"""The queue that jobs wait in, read from the cluster now and then: what it could ever give.
Never says what is free now: that is Kueue's affair."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import structlog

from assay_chassis.compute.base import JobRun, Resources
from assay_chassis.compute.errors import ResourcesUnavailable
from assay_chassis.compute.kubernetes.api import KubernetesApi, Object
from assay_chassis.compute.kubernetes.errors import ClusterUnavailable, Forbidden, NotThere
from assay_chassis.compute.kubernetes.quota import check_fits, check_gpu_type, flavors_of
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

FRESH_S, STALE_S = 2.0, 30.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reading:
    """What was read; `cluster_queue` is None where there is none, or it may not be read.

    `never` is what was found by it, by machines and resources: many runs ask for the same."""

    cluster_queue: Object | None = None
    flavors: list[Object] = field(default_factory=list)
    never: dict[tuple[int, Resources], str | None] = field(default_factory=dict, compare=False)


class Queue:
    """A LocalQueue, with its ClusterQueue and that one's flavors with GPUs."""

    def __init__(self, api: KubernetesApi, settings: KubernetesSettings, kueue: str, name: str) -> None:
        self._name = name
        self._api = api
        self._settings = settings
        self._kueue = kueue
        self._reading: Reading | None = None
        self._read_at = 0.0
        self._one_reads = asyncio.Lock()

    @property
    def was_read(self) -> bool:
        return self._reading is not None

    async def check_fits(self, run: JobRun) -> None:
        """By a fresh reading, where the queue may be read at all.

        Raises ResourcesUnavailable for what it could never hold, and ClusterUnavailable."""
        async with self._one_reads:
            if self._is_older_than(FRESH_S):
                self._take(await self._read())
        self._judge(run)

    async def stay_fresh(self) -> Reading | None:
        """A reading that may be half a minute old, or older in an outage. An equal one stays the object that it was."""
        async with self._one_reads:
            if self._is_older_than(STALE_S):
                try:
                    self._take(await self._read())
                except ClusterUnavailable as error:
                    log.debug("the quota was not read again", error=str(error))
                    self._take(self._reading or Reading())
        return self._reading

    def never_fits(self, run: JobRun) -> str | None:
        """Why what waits would wait for ever, by the last reading."""
        if self._reading is None:
            return None
        asked, found = (run.machines, run.resources), self._reading.never
        if asked not in found:
            try:
                self._judge(run)
                found[asked] = None
            except ResourcesUnavailable as error:
                found[asked] = str(error)
        return found[asked]

    def _take(self, reading: Reading) -> None:
        self._read_at = time.monotonic()
        if reading != self._reading:
            self._reading = reading

    def _is_older_than(self, age_s: float) -> bool:
        return self._reading is None or time.monotonic() - self._read_at > age_s

    def _judge(self, run: JobRun) -> None:
        if self._reading is not None and self._reading.cluster_queue is not None:
            check_fits(run, self._settings, self._reading.cluster_queue)
            check_gpu_type(run, self._settings, self._reading.flavors)

    async def _read(self) -> Reading:
        settings = self._settings
        try:
            where = f"{self._kueue}/namespaces/{settings.namespace}/localqueues/{self._name}"
            name = (await self._api.get(where))["spec"]["clusterQueue"]
            cluster_queue = await self._api.get(f"{self._kueue}/clusterqueues/{name}")
            names = flavors_of(cluster_queue, settings.gpu_resource)
            flavors = [await self._api.get(f"{self._kueue}/resourceflavors/{name}") for name in names]
        except (Forbidden, NotThere) as error:
            log.info("what the queue can ever give was not read", error=str(error))
            return Reading()
        return Reading(_quota(cluster_queue), [_quota(flavor) for flavor in flavors])


def _quota(item: Object) -> Object:
    """Without what changes with every job: how much of it is used."""
    return {"metadata": {"name": item["metadata"]["name"]}, "spec": item["spec"]}

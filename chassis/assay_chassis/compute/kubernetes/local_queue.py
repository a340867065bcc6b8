"""The queue that jobs wait in, read from the cluster now and then: what it could ever give.
Never says what is free now: that is Kueue's affair."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

import structlog

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.errors import ResourcesUnavailable
from assay_chassis.compute.kubernetes.api import KubernetesApi, Object
from assay_chassis.compute.kubernetes.errors import ClusterUnavailable, Forbidden, NotThere
from assay_chassis.compute.kubernetes.quota import check_fits, check_gpu_type, flavors_of
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

FRESH_S, STALE_S = 2.0, 30.0
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reading:
    """What was read; `cluster_queue` is None where there is none, or it may not be read."""

    at: float
    cluster_queue: Object | None = None
    flavors: list[Object] = field(default_factory=list)


class Queue:
    """A LocalQueue, with its ClusterQueue and that one's flavors with GPUs."""

    def __init__(self, api: KubernetesApi, settings: KubernetesSettings, kueue: str, name: str) -> None:
        self._name = name
        self._api = api
        self._settings = settings
        self._kueue = kueue
        self._reading: Reading | None = None
        self._one_reads = asyncio.Lock()

    async def check_fits(self, run: JobRun) -> None:
        """By a fresh reading, where the queue may be read at all.

        Raises ResourcesUnavailable for what it could never hold, and ClusterUnavailable."""
        async with self._one_reads:
            if self._is_older_than(FRESH_S):
                self._reading = await self._read()
        self._judge(run)

    async def never_fits(self, run: JobRun) -> str | None:
        """Why what waits would wait for ever, by a reading that may be half a minute old, or older in an outage."""
        async with self._one_reads:
            if self._is_older_than(STALE_S):
                try:
                    self._reading = await self._read()
                except ClusterUnavailable as error:
                    log.debug("the quota was not read again", error=str(error))
                    self._reading = replace(self._reading or Reading(0.0), at=time.monotonic())
        try:
            self._judge(run)
        except ResourcesUnavailable as error:
            return str(error)
        return None

    def _is_older_than(self, age_s: float) -> bool:
        return self._reading is None or time.monotonic() - self._reading.at > age_s

    def _judge(self, run: JobRun) -> None:
        if self._reading is not None and self._reading.cluster_queue is not None:
            check_fits(run, self._settings, self._reading.cluster_queue)
            check_gpu_type(run, self._settings, self._reading.flavors)

    async def _read(self) -> Reading:
        at, settings = time.monotonic(), self._settings
        try:
            where = f"{self._kueue}/namespaces/{settings.namespace}/localqueues/{self._name}"
            name = (await self._api.get(where))["spec"]["clusterQueue"]
            cluster_queue = await self._api.get(f"{self._kueue}/clusterqueues/{name}")
            names = flavors_of(cluster_queue, settings.gpu_resource)
            flavors = [await self._api.get(f"{self._kueue}/resourceflavors/{name}") for name in names]
        except (Forbidden, NotThere) as error:
            log.info("what the queue can ever give was not read", error=str(error))
            return Reading(at)
        return Reading(at, cluster_queue, flavors)

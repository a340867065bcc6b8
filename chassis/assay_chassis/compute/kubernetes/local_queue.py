"""The queue that jobs wait in, read from the cluster now and then: what it could ever give.
Never says what is free now: that is Kueue's affair."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import structlog

from assay_chassis.compute.base import Resources
from assay_chassis.compute.kubernetes.api import KubernetesApi, Object
from assay_chassis.compute.kubernetes.errors import Forbidden, NotThere
from assay_chassis.compute.kubernetes.quota import check_fits, check_gpu_type, flavors_of
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reading:
    """What was read; `cluster_queue` is None where there is none, or it may not be read."""

    at: float
    cluster_queue: Object | None = None
    flavors: list[Object] = field(default_factory=list)


class Queue:
    """The LocalQueue of the settings, with its ClusterQueue and that one's flavors with GPUs."""

    def __init__(self, api: KubernetesApi, settings: KubernetesSettings, kueue: str) -> None:
        self._api = api
        self._settings = settings
        self._kueue = kueue
        self._reading: Reading | None = None

    async def check_fits(self, resources: Resources, max_age_s: float) -> None:
        """By a reading of the last `max_age_s`, where the queue may be read at all.

        Raises ResourcesUnavailable for what it could never hold, and ClusterUnavailable."""
        if self._reading is None or time.monotonic() - self._reading.at > max_age_s:
            self._reading = await self._read()
        if self._reading.cluster_queue is not None:
            check_fits(resources, self._settings, self._reading.cluster_queue)
            check_gpu_type(resources, self._settings, self._reading.flavors)

    async def _read(self) -> Reading:
        at, settings = time.monotonic(), self._settings
        try:
            where = f"{self._kueue}/namespaces/{settings.namespace}/localqueues/{settings.queue}"
            name = (await self._api.get(where))["spec"]["clusterQueue"]
            cluster_queue = await self._api.get(f"{self._kueue}/clusterqueues/{name}")
            names = flavors_of(cluster_queue, settings.gpu_resource)
            flavors = [await self._api.get(f"{self._kueue}/resourceflavors/{name}") for name in names]
        except (Forbidden, NotThere) as error:
            log.info("what the queue can ever give was not read", error=str(error))
            return Reading(at)
        return Reading(at, cluster_queue, flavors)

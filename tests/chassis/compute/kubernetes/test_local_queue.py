"""What the queue could ever give is read now and then, not for every run that waits."""

import asyncio
from pathlib import Path
from typing import Any

from assay_chassis.compute import JobRun, Resources
from assay_chassis.compute.kubernetes.errors import ClusterUnavailable
from assay_chassis.compute.kubernetes.local_queue import Queue
from assay_chassis.compute.kubernetes.settings import KubernetesSettings

RUN = JobRun(kind="eval", job_key="0" * 16, attempt=1, entrypoint="a.b:c", resources=Resources(cpus=2))
SETTINGS = KubernetesSettings(kubeconfig=Path("none"), image="i")


class CountingApi:
    """Answers with a queue of `cpus`, or not at all."""

    def __init__(self, cpus: str | None) -> None:
        self.cpus = cpus
        self.calls: list[str] = []

    async def get(self, path: str) -> Any:
        self.calls.append(path)
        await asyncio.sleep(0)
        if self.cpus is None:
            raise ClusterUnavailable("away")
        if "localqueues" in path:
            return {"spec": {"clusterQueue": "all"}}
        resources = [{"name": "cpu", "nominalQuota": self.cpus}]
        group = {"coveredResources": ["cpu"], "flavors": [{"name": "any", "resources": resources}]}
        return {"metadata": {"name": "all"}, "spec": {"resourceGroups": [group]}}


async def asked(queue: Queue) -> str | None:
    await queue.stay_fresh()
    return queue.never_fits(RUN)


async def test_many_waiting_runs_cost_one_reading() -> None:
    api = CountingApi("1")
    queue = Queue(api, SETTINGS, "/kueue", "assay")  # type: ignore[arg-type]
    words = await asyncio.gather(*(asked(queue) for _ in range(50)))
    assert len(api.calls) == 2
    assert set(words) == {
        "hardware.cpus: 2 asked, queue assay can give 1 at most; "
        "ask for less, or raise the quota for cpu of ClusterQueue all"
    }


async def test_in_an_outage_it_is_tried_once_and_nothing_is_said() -> None:
    api = CountingApi(None)
    queue = Queue(api, SETTINGS, "/kueue", "assay")  # type: ignore[arg-type]
    words = await asyncio.gather(*(asked(queue) for _ in range(50)))
    assert (len(api.calls), set(words)) == (1, {None})

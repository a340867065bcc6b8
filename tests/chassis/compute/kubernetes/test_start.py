"""What a backend asks of its cluster before it starts: whatever is missing is named with the mend."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from assay_chassis.compute import RunState
from assay_chassis.compute.kubernetes import cluster
from assay_chassis.compute.kubernetes.errors import ClusterMisconfigured, ClusterUnavailable
from assay_chassis.object_store import MemoryStore
from assay_chassis.object_store.base import ObjectStat
from contract_bench import make_run
from fake_api import KUEUE, NAMESPACE, PODS
from ground import RUN, Ground

pytestmark = pytest.mark.real


async def refusal_at_start(ground: Ground, **more: Any) -> str:
    with pytest.raises(ClusterMisconfigured) as refused:
        await ground.open(**more)
    return str(refused.value)


async def test_a_cluster_without_kueue_is_refused_with_the_mend(ground: Ground) -> None:
    del ground.api.single["/apis/kueue.x-k8s.io"]
    assert "Kueue is not installed; install Kueue on the cluster" in await refusal_at_start(ground)


async def test_a_clock_that_differs_by_minutes_is_said_with_the_mend_and_one_by_seconds_is_not_refused(
    ground: Ground,
) -> None:
    now = ground.clock.now()
    ground.api.now = lambda: now + timedelta(minutes=7)
    words = await refusal_at_start(ground)
    assert "the clock here is 420 s behind the API server's; set the clocks of the cluster's nodes right" in words
    ground.api.now = lambda: now - timedelta(minutes=7)
    assert "420 s ahead of the API server's" in await refusal_at_start(ground)
    ground.api.now = lambda: now + timedelta(seconds=20)
    await ground.open()


async def test_a_missing_queue_is_named_with_the_mend(ground: Ground) -> None:
    words = await refusal_at_start(ground, queue="reserch")
    assert "there is no LocalQueue reserch in namespace assay; apply deploy/kubernetes, or set" in words


async def test_a_missing_queue_of_an_owner_is_named_too(ground: Ground) -> None:
    words = await refusal_at_start(ground, owner_queues="vision:vision-queue")
    assert "there is no LocalQueue vision-queue in namespace assay" in words


async def test_a_queue_that_takes_no_work_says_why(ground: Ground) -> None:
    inactive = {"type": "Active", "status": "False", "message": "Can't submit new workloads to clusterQueue"}
    ground.api.single[f"{KUEUE}{NAMESPACE}/localqueues/assay"]["status"] = {"conditions": [inactive]}
    assert "takes no work: Can't submit new workloads to clusterQueue" in await refusal_at_start(ground)


async def test_a_missing_priority_class_is_named(ground: Ground) -> None:
    del ground.api.single[f"{KUEUE}/workloadpriorityclasses/assay-med"]
    assert "there is no WorkloadPriorityClass assay-med" in await refusal_at_start(ground)


async def test_missing_permissions_are_listed_all_at_once(ground: Ground) -> None:
    ground.api.refused = {("create", "jobs"), ("list", "pods")}
    words = await refusal_at_start(ground)
    assert "no permission in namespace assay to create jobs, list pods; apply deploy/kubernetes" in words


async def test_no_image_and_no_api_server_are_said(ground: Ground) -> None:
    assert "no image is set for jobs; set ASSAY_KUBERNETES_IMAGE" in await refusal_at_start(ground, image="")
    ground.api.away = True
    with pytest.raises(ClusterUnavailable, match="503: the server is away"):
        await ground.open()


async def test_a_cluster_that_cannot_be_listed_is_left_without_a_trace(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SYNC_S", 0.2)
    del ground.api.collections[PODS]
    with pytest.raises(ClusterUnavailable, match="is not there"):
        await ground.open()
    assert [task for task in asyncio.all_tasks() if "Informer" in repr(task.get_coro())] == []


class Counting(MemoryStore):
    """A store that counts what it is asked, and how much of it at the same time."""

    def __init__(self) -> None:
        super().__init__("memory://runs")
        self.reads = self.looks = self.now = self.at_once = 0

    async def _read(self, key: str, max_bytes: int) -> bytes:
        self.reads, self.now = self.reads + 1, self.now + 1
        self.at_once = max(self.at_once, self.now)
        await asyncio.sleep(0.001)
        self.now -= 1
        return await super()._read(key, max_bytes)

    async def _stat(self, key: str) -> ObjectStat:
        self.looks += 1
        return await super()._stat(key)


async def test_a_start_beside_many_runs_reads_each_once_and_many_at_a_time(ground: Ground) -> None:
    before = await ground.open()
    runs = [RUN, *(make_run(key=f"{number:016d}" + "0" * 48) for number in range(99))]
    await asyncio.gather(*map(before.submit, runs))
    await ground.write_records(outcome={"done": 1}, end={"exit_code": 0, "at": 3.0})
    await before.cancel(runs[1].name)
    store = Counting()
    store.objects, ground.store = ground.store.objects, store
    after = await ground.open()
    assert (store.reads, store.looks) == (len(runs) + 1, 0), "each run, and the records of the one that has any"
    assert store.at_once > 10
    found = {status.name: status.state for status in await after.list()}
    assert found == {
        **dict.fromkeys((run.name for run in runs), RunState.QUEUED),
        RUN.name: RunState.SUCCEEDED,
        runs[1].name: RunState.CANCELLED,
    }
    assert store.reads < len(runs) + 10, "of those that wait there is nothing new to read"


async def test_a_run_whose_version_is_gone_keeps_no_service_from_starting(ground: Ground) -> None:
    lost = make_run(version="3")
    await ground.store.put_bytes(f"runs/trainer/{lost.name}/run.json", lost.model_dump_json().encode())
    backend = await ground.open()
    assert await backend.list() == []
    assert ground.store.objects == {}

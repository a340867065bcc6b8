"""The backend against an API server whose objects the test moves: what it asks for, and what it then says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.clock import ManualClock
from assay_chassis.compute import Cause, Environments, JobRun, Resources, ResourcesUnavailable, RunState, RunStatus
from assay_chassis.compute.kubernetes import cluster, local_queue
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.compute.kubernetes.cluster import Cluster, Look
from assay_chassis.compute.kubernetes.errors import ClusterMisconfigured, ClusterUnavailable
from assay_chassis.compute.kubernetes.judging import status_of
from assay_chassis.compute.kubernetes.seeing import Seen
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from assay_chassis.compute.kubernetes.stored import Stored, StoredRuns
from assay_chassis.object_store import MemoryStore
from assay_schemas.versions import Environment
from contract_bench import make_run
from fake_api import EVENTS, JOBS, KUEUE, NAMESPACE, PODS, RAY_JOBS, WORKLOADS, FakeApi, cluster_queue

pytestmark = pytest.mark.real
RUN = make_run(payload={"seed": 1}, labels={"priority": "LOW"})
POD_LABELS = {"app.kubernetes.io/managed-by": "assay", "app.kubernetes.io/component": "trainer", "assay/run": RUN.name}


@dataclass
class Ground:
    """A fake cluster, a store, and the backends opened on them."""

    api: FakeApi
    kubeconfig: Path
    store: MemoryStore = field(default_factory=lambda: MemoryStore("memory://runs"))
    clock: ManualClock = field(default_factory=ManualClock)
    opened: list[KubernetesBackend] = field(default_factory=list)
    environments: Environments = field(default_factory=Environments)

    async def open(self, **more: Any) -> KubernetesBackend:
        settings = KubernetesSettings(**{"kubeconfig": self.kubeconfig, "image": "trainer:1", **more})
        backend = KubernetesBackend(
            settings, "trainer", self.store, refresh_s=0.0, clock=self.clock, environments=self.environments
        )
        self.opened.append(backend)
        await backend.start()
        return backend

    def let_in(self) -> None:
        self.api.change(JOBS, RUN.name, lambda job: job["spec"].update(suspend=False))

    def put_pod(self, phase: str = "Running", name: str = "pod-1", **status: Any) -> None:
        status["phase"] = phase
        self.api.put(PODS, {"metadata": {"name": name, "uid": name, "labels": POD_LABELS}, "status": status})

    def put_workload(self, *conditions: dict[str, str], **spec: Any) -> None:
        uid = self.api.collections[JOBS][RUN.name]["metadata"]["uid"]
        metadata = {"name": "workload-1", "ownerReferences": [{"uid": uid}]}
        spec = {"queueName": "assay", **spec}
        self.api.put(WORKLOADS, {"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions)}})

    async def write_records(self, pod: str = "pod-1", **records: Any) -> None:
        """As the pod would."""
        content = {"keeper": {"pid": 1, "at": 1.0}, "job": {"pid": 2, "at": 2.0}, "pod": pod, **records}
        await self.store.put_bytes(f"runs/trainer/{RUN.name}/records.json", json.dumps(content).encode())


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    api = FakeApi()
    ground = Ground(api, await api.start(tmp_path))
    api.now = ground.clock.now
    yield ground
    for backend in ground.opened:
        await backend.close()
    await api.stop()


async def wait_for(backend: KubernetesBackend, done: Callable[[RunStatus], bool]) -> RunStatus:
    for _ in range(300):
        status = await backend.status(RUN.name)
        if done(status):
            return status
        await asyncio.sleep(0.01)
    raise AssertionError(status)


async def test_a_run_becomes_one_suspended_job_however_often_it_is_submitted(ground: Ground) -> None:
    backend = await ground.open()
    await asyncio.gather(backend.submit(RUN), backend.submit(RUN))
    await (await ground.open()).submit(RUN)
    assert list(ground.api.collections[JOBS]) == [RUN.name]
    assert ground.api.collections[JOBS][RUN.name]["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "assay-low"
    assert (await backend.status(RUN.name)).state is RunState.QUEUED


async def test_a_run_goes_through_queue_start_and_work_to_its_outcome(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.put_workload({"type": "QuotaReserved", "status": "False", "message": "no quota is free"})
    status = await wait_for(backend, lambda status: "no quota" in str(status.reason))
    assert status.state is RunState.QUEUED
    ground.let_in()
    ground.put_pod("Pending")
    await wait_for(backend, lambda status: status.state is RunState.STARTING)
    ground.put_pod("Running")
    await ground.write_records(progress={"sequence": 3, "at": 1, "record": {"step": 3}})
    status = await wait_for(backend, lambda status: status.state is RunState.RUNNING)
    assert (status.progress, status.progress_sequence, status.reason) == ({"step": 3}, 3, None)
    await ground.write_records(outcome={"done": 1}, end={"cause": "error", "reason": "", "exit_code": 0, "at": 9.0})
    status = await wait_for(backend, lambda status: status.state.ended)
    assert (status.state, status.outcome) == (RunState.SUCCEEDED, {"done": 1})


async def test_preempted_it_is_queued_again_with_the_same_attempt(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.let_in()
    ground.put_pod("Running")
    await ground.write_records(progress={"sequence": 3, "at": 1, "record": {"step": 3}})
    await wait_for(backend, lambda status: status.state is RunState.RUNNING)
    ground.api.change(JOBS, RUN.name, lambda job: job["spec"].update(suspend=True))
    ground.put_workload({"type": "Evicted", "status": "True", "reason": "Preempted", "message": ""})
    ground.api.remove(PODS, "pod-1")
    status = await wait_for(backend, lambda status: status.state is RunState.QUEUED)
    assert "made room for work that goes first" in str(status.reason)
    assert (status.run.attempt, status.progress) == (1, {"step": 3})
    ground.let_in()
    ground.put_pod("Running", "pod-2")
    assert (await wait_for(backend, lambda status: status.state is RunState.STARTING)).pid is None
    await ground.write_records("pod-2")
    await wait_for(backend, lambda status: status.state is RunState.RUNNING)


async def test_a_cancelled_run_is_running_until_its_pod_is_gone(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.let_in()
    ground.put_pod("Running")
    await ground.write_records()
    await wait_for(backend, lambda status: status.state is RunState.RUNNING)
    await backend.cancel(RUN.name)
    await backend.cancel(RUN.name)
    assert ground.api.collections[JOBS] == {}
    assert (await backend.status(RUN.name)).state is RunState.RUNNING
    ground.api.remove(PODS, "pod-1")
    assert (await wait_for(backend, lambda status: status.state.ended)).state is RunState.CANCELLED


async def test_a_deactivated_workload_ends_the_run_with_the_reason(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.put_workload(active=False)
    status = await wait_for(backend, lambda status: status.state.ended)
    assert (status.error_class, status.retryable) == ("deactivated", False)
    assert "workload-1 was deactivated in Kueue" in str(status.reason)
    assert ground.api.collections[JOBS] == {}


async def test_an_image_that_cannot_be_pulled_ends_the_run_after_a_while(ground: Ground) -> None:
    backend = await ground.open(start_patience_s=60)
    await backend.submit(RUN)
    ground.let_in()
    waiting = {"reason": "ImagePullBackOff", "message": "no such tag"}
    ground.put_pod("Pending", containerStatuses=[{"image": "trainer:1", "state": {"waiting": waiting}}])
    status = await wait_for(backend, lambda status: "cannot be pulled" in str(status.reason))
    assert status.state is RunState.STARTING
    await ground.clock.advance(61)
    status = await wait_for(backend, lambda status: status.state.ended)
    assert (status.state, status.error_class) == (RunState.FAILED, "image")


async def test_a_job_that_someone_deleted_is_lost_and_a_retry_can_help(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.api.remove(JOBS, RUN.name)
    status = await wait_for(backend, lambda status: status.state.ended)
    assert (status.cause, status.retryable) == (Cause.LOST, True)


async def test_a_run_given_to_the_cluster_while_the_list_is_read_is_not_taken_for_lost(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = await ground.open()
    create, load = Cluster.create, StoredRuns.load
    listing: list[asyncio.Task[list[RunStatus]]] = []

    async def looked_at_first(cluster: Cluster, run: JobRun, manifest: Any) -> None:
        listing.append(asyncio.create_task(backend.list()))
        await asyncio.sleep(0.05)
        await create(cluster, run, manifest)

    async def read_late(runs: StoredRuns, name: str) -> Stored | None:
        while listing and not await ground.store.exists(f"runs/trainer/{name}/submitted"):
            await asyncio.sleep(0.01)
        return await load(runs, name)

    monkeypatch.setattr(Cluster, "create", looked_at_first)
    monkeypatch.setattr(StoredRuns, "load", read_late)
    await backend.submit(RUN)
    (status,) = await listing[0]
    assert status.state is RunState.QUEUED
    assert list(ground.api.collections[JOBS]) == [RUN.name]


async def test_a_pod_killed_for_memory_says_so(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.let_in()
    end = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    ground.put_pod("Failed", containerStatuses=[{"image": "trainer:1", "state": end}])
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    await asyncio.sleep(0.05)
    ground.api.change(JOBS, RUN.name, lambda job: job.update(status=failed))
    status = await wait_for(backend, lambda status: status.state.ended)
    assert status.cause is Cause.OUT_OF_MEMORY


async def test_an_outage_of_the_api_server_changes_nothing_and_passes(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.let_in()
    ground.put_pod("Running")
    await ground.write_records()
    await wait_for(backend, lambda status: status.state is RunState.RUNNING)
    ground.api.away = True
    ground.api._notify()
    other = make_run(key="f" * 64)
    with pytest.raises(ClusterUnavailable, match="503"):
        await backend.submit(other)
    assert (await backend.status(RUN.name)).state is RunState.RUNNING
    ground.api.away = False
    await backend.submit(other)
    assert set(ground.api.collections[JOBS]) == {RUN.name, other.name}
    assert [status.name for status in await backend.list()] == sorted([RUN.name, other.name])


async def test_a_submission_that_an_outage_cut_off_is_made_up_for_by_the_next_life(ground: Ground) -> None:
    backend = await ground.open()
    await ground.store.put_bytes(f"runs/trainer/{RUN.name}/run.json", RUN.model_dump_json().encode())
    assert (await backend.status(RUN.name)).reason == (
        "not given to the cluster yet: it is tried again when the API server answers"
    )
    await ground.open()
    assert list(ground.api.collections[JOBS]) == [RUN.name]


async def test_logs_come_from_the_pod_and_after_the_end_from_the_store(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    assert await backend.logs(RUN.name) == ""
    ground.let_in()
    ground.put_pod("Running")
    ground.api.logs["pod-1"] = "one\ntwo\n"
    await ground.write_records()
    await wait_for(backend, lambda status: status.state is RunState.RUNNING)
    assert await backend.logs(RUN.name, tail=1) == "two"
    await ground.store.put_bytes(f"runs/trainer/{RUN.name}/log", b"one\ntwo\nthree\n")
    await ground.write_records(end={"cause": "error", "reason": "x", "exit_code": 1, "at": 9.0})
    await wait_for(backend, lambda status: status.state.ended)
    assert await backend.logs(RUN.name) == "one\ntwo\nthree"


async def test_the_log_of_what_never_started_is_what_the_cluster_says_of_it_also_after_its_end(ground: Ground) -> None:
    events = ground.api.collections[EVENTS] = {}
    backend = await ground.open(start_patience_s=0)
    await backend.submit(RUN)
    assert await backend.logs(RUN.name) == ""
    for number, (name, reason, words) in enumerate(
        ((RUN.name, "SuccessfulCreate", "Created pod: pod-1"), ("pod-1", "Failed", "no such\ntag"), ("other", "x", "y"))
    ):
        seen_at = {"lastTimestamp": f"2026-01-01T00:00:0{number}Z", "count": number + 1}
        about = {"kind": "Pod", "name": name}
        events[f"e{number}"] = {**seen_at, "reason": reason, "message": words, "involvedObject": about}
    waiting = {"reason": "ImagePullBackOff", "message": "no such tag"}
    ground.let_in()
    ground.put_pod("Pending", containerStatuses=[{"image": "trainer:1", "state": {"waiting": waiting}}])
    await wait_for(backend, lambda status: status.state.ended)
    ground.api.remove(PODS, "pod-1")
    await asyncio.sleep(0.05)
    assert (await backend.logs(RUN.name, tail=None)).splitlines() == [
        "[cluster] 2026-01-01T00:00:00 pod SuccessfulCreate: Created pod: pod-1",
        "[cluster] 2026-01-01T00:00:01 pod Failed: no such tag (2 times)",
    ]


async def test_many_that_wait_cost_next_to_nothing_to_list_until_something_changes(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = list[str]()

    def counted(stored: Stored, seen: Seen) -> RunStatus:
        judged.append(stored.run.name)
        return status_of(stored, seen)

    monkeypatch.setattr("assay_chassis.compute.kubernetes.backend.status_of", counted)
    backend = await ground.open()
    runs = [make_run(key=f"{number:016d}") for number in range(20)]
    for run in runs:
        await backend.submit(run)
    await asyncio.sleep(0.05)  # the watch says again what was created here
    first = await backend.list()
    judged.clear()
    assert await backend.list() == first
    assert judged == []
    ground.api.change(JOBS, runs[3].name, lambda job: job["spec"].update(suspend=False))
    for _ in range(300):
        states = {status.name: status.state for status in await backend.list()}
        if states[runs[3].name] is RunState.STARTING:
            break
        await asyncio.sleep(0.01)
    assert (states[runs[3].name], set(judged)) == (RunState.STARTING, {runs[3].name})
    ground.api.single[f"{KUEUE}/clusterqueues/all"] = cluster_queue("0")
    monkeypatch.setattr(local_queue, "STALE_S", 0.0)
    assert all(
        "can give 0 at most" in str(status.reason) for status in await backend.list() if status.state == "queued"
    )


async def test_a_job_is_found_among_many_without_a_look_at_the_others(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = list[str]()
    real = Cluster.look

    def counted(connected: Cluster, name: str, before: Look | None = None) -> Look:
        looked.append(name)
        return real(connected, name, before)

    monkeypatch.setattr(Cluster, "look", counted)
    backend = await ground.open()
    runs = [make_run(key=f"{number:016d}") for number in range(20)]
    for run in runs:
        await backend.submit(run)
    another_life = await ground.open()
    for each in (backend, another_life):
        looked.clear()
        [found] = await each.attempts("training", runs[3].job_key)
        assert found.name == runs[3].name
        assert set(looked) == {runs[3].name}
        assert await each.stop_older("training", runs[3].job_key, 1) == []
        assert set(looked) == {runs[3].name}
        assert await each.names("training") == {run.name for run in runs}
    submitted_elsewhere = make_run(key=runs[3].job_key, attempt=2)
    await another_life.submit(submitted_elsewhere)
    for _ in range(300):
        names = {status.name for status in await backend.attempts("training", runs[3].job_key)}
        if submitted_elsewhere.name in names:
            break
        await asyncio.sleep(0.01)
    assert names == {runs[3].name, submitted_elsewhere.name}


async def test_a_forgotten_run_leaves_nothing_behind(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    await backend.cancel(RUN.name)
    await wait_for(backend, lambda status: status.state.ended)
    await backend.forget(RUN.name)
    assert await backend.list() == []
    assert [entry async for entry in ground.store.list("runs/trainer")] == []


async def test_a_job_costs_few_calls_to_the_api_server(ground: Ground) -> None:
    backend = await ground.open()
    ground.api.calls.clear()
    await backend.submit(RUN)
    ground.let_in()
    ground.put_pod("Running")
    await ground.write_records(end={"cause": "error", "reason": "x", "exit_code": 1, "at": 9.0})
    await wait_for(backend, lambda status: status.state.ended)
    await backend.forget(RUN.name)
    watches = {f"GET {path}" for path in (JOBS, PODS, WORKLOADS)}
    assert [call.split()[0] for call in ground.api.calls if call not in watches] == ["GET", "GET", "POST", "DELETE"]


async def test_what_a_queue_can_never_hold_is_refused_at_once(ground: Ground) -> None:
    backend = await ground.open()
    with pytest.raises(ResourcesUnavailable, match=r"hardware\.cpus: 9 asked, queue assay can give 8 at most"):
        await backend.submit(make_run(resources=Resources(cpus=9)))
    assert (ground.api.collections[JOBS], await backend.list()) == ({}, [])


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


async def test_a_run_of_another_version_has_that_version_s_image(ground: Ground) -> None:
    ground.environments = Environments("engine", "1", lambda: {"2": Environment(image="trainer:2")})
    backend = await ground.open()
    runs = [make_run(attempt=number, version=str(number)) for number in (1, 2)]
    for run in runs:
        await backend.submit(run)
    jobs = [ground.api.collections[JOBS][run.name] for run in runs]
    images = [job["spec"]["template"]["spec"]["containers"][0]["image"] for job in jobs]
    assert images == ["trainer:1", "trainer:2"]
    with pytest.raises(ResourcesUnavailable, match=r"engine_version: 3 has no image; there are 1, 2"):
        await backend.submit(make_run(attempt=3, version="3"))


SPREAD = make_run(resources=Resources(nodes=3))


async def test_a_run_on_several_machines_is_one_ray_job_that_another_life_finds_and_forgets(ground: Ground) -> None:
    ground.api.install_kuberay()
    backend = await ground.open(shared_claim="assay-shared")
    await asyncio.gather(backend.submit(SPREAD), backend.submit(SPREAD))
    assert (list(ground.api.collections[RAY_JOBS]), ground.api.collections[JOBS]) == ([SPREAD.name], {})
    adopted = await ground.open(shared_claim="assay-shared")
    (status,) = await adopted.list()
    assert (status.state, "ray.io/rayjob" in str(status.reason)) == (RunState.QUEUED, True)
    await adopted.cancel(SPREAD.name)
    assert (await wait_for(adopted, lambda status: status.state.ended)).state is RunState.CANCELLED
    await adopted.forget(SPREAD.name)
    assert (ground.api.collections[RAY_JOBS], await adopted.list()) == ({}, [])


async def test_the_log_of_several_machines_is_the_mirrored_one(ground: Ground) -> None:
    ground.api.install_kuberay()
    backend = await ground.open(shared_claim="assay-shared")
    await backend.submit(SPREAD)
    labels = {**POD_LABELS, "ray.io/node-type": "head"}
    pod = {"metadata": {"name": "head-1", "uid": "head-1", "labels": labels}, "status": {"phase": "Running"}}
    ground.api.put(PODS, pod)
    ground.api.logs["head-1"] = "Ray runtime started\n"
    await ground.store.put_bytes(f"runs/trainer/{SPREAD.name}/log", b"step 1\nstep 2\n")
    await wait_for(backend, lambda status: status.state is RunState.STARTING)
    assert await backend.logs(SPREAD.name) == "step 1\nstep 2"


async def test_several_machines_are_refused_where_they_share_no_folder_or_there_are_no_ray_jobs(ground: Ground) -> None:
    with pytest.raises(
        ResourcesUnavailable, match=r"hardware\.nodes: 3 asked, and no folder .*ASSAY_KUBERNETES_SHARED_"
    ):
        await (await ground.open()).submit(SPREAD)
    with pytest.raises(ResourcesUnavailable, match=r"the cluster has no rayjobs\.ray\.io .*install KubeRay and apply"):
        await (await ground.open(shared_claim="assay-shared")).submit(SPREAD)
    ground.api.install_kuberay()
    ground.api.refused = {("create", "rayjobs")}
    with pytest.raises(ResourcesUnavailable, match=r"that this service may use; install KubeRay and apply deploy"):
        await (await ground.open(shared_claim="assay-shared")).submit(SPREAD)


async def test_an_object_of_any_size_is_followed(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.api.change(JOBS, RUN.name, lambda job: job["metadata"]["annotations"].update(note="x" * 300_000))
    ground.let_in()
    await wait_for(backend, lambda status: "let in by Kueue" in str(status.reason))


async def test_a_cluster_that_cannot_be_listed_is_left_without_a_trace(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "SYNC_S", 0.2)
    del ground.api.collections[PODS]
    with pytest.raises(ClusterUnavailable, match="is not there"):
        await ground.open()
    assert [task for task in asyncio.all_tasks() if "Informer" in repr(task.get_coro())] == []


async def test_a_run_whose_version_is_gone_keeps_no_service_from_starting(ground: Ground) -> None:
    lost = make_run(version="3")
    await ground.store.put_bytes(f"runs/trainer/{lost.name}/run.json", lost.model_dump_json().encode())
    backend = await ground.open()
    assert await backend.list() == []
    assert ground.store.objects == {}

"""The backend against an API server whose objects the test moves: what it asks for, and what it then says."""

import asyncio
from typing import Any

import pytest
from assay_chassis.compute import Cause, Environments, JobRun, Resources, ResourcesUnavailable, RunState, RunStatus
from assay_chassis.compute.kubernetes import local_queue
from assay_chassis.compute.kubernetes.cluster import Cluster, Look
from assay_chassis.compute.kubernetes.errors import ClusterUnavailable
from assay_chassis.compute.kubernetes.judging import status_of
from assay_chassis.compute.kubernetes.seeing import Seen
from assay_chassis.compute.kubernetes.stored import Stored, StoredRuns
from assay_schemas.versions import Environment
from contract_bench import make_run
from fake_api import EVENTS, JOBS, KUEUE, PODS, WORKLOADS, cluster_queue
from ground import RUN, Ground, wait_for

pytestmark = pytest.mark.real


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
    monkeypatch.setattr(local_queue, "STALE_S", 0.0)
    judged.clear()
    ground.api.single[f"{KUEUE}/clusterqueues/all"] = cluster_queue("50")
    await backend.list()
    assert judged == []  # another quota that holds each of them says nothing new of any
    ground.api.single[f"{KUEUE}/clusterqueues/all"] = cluster_queue("0")
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


async def test_an_object_of_any_size_is_followed(ground: Ground) -> None:
    backend = await ground.open()
    await backend.submit(RUN)
    ground.api.change(JOBS, RUN.name, lambda job: job["metadata"]["annotations"].update(note="x" * 300_000))
    ground.let_in()
    await wait_for(backend, lambda status: "let in by Kueue" in str(status.reason))

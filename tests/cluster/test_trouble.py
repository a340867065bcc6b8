"""What a cluster can do to a job, on a real one: each is found at the start, or said on the job with the mend."""

import asyncio
import contextlib
from pathlib import Path

import pytest
from assay_chassis.compute import BackendUnavailable, Cause, Resources, ResourcesUnavailable, RunState
from assay_chassis.compute.kubernetes.errors import ClusterMisconfigured
from contract_bench import make_run, submit_and_wait, wait_for, wait_for_end, wait_until_running
from control_plane import ControlPlane
from teams import ClusterBench, Team
from waiting import until, until_submitted

pytestmark = [pytest.mark.real, pytest.mark.slow]


async def test_a_cluster_without_kueue_is_refused_at_the_start(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory, team_bench: ClusterBench
) -> None:
    bare = ControlPlane(control_plane.binaries, tmp_path_factory.mktemp("bare"))
    try:
        await asyncio.to_thread(bare.start_api)
        settings = team_bench.settings.model_copy(update={"kubeconfig": bare.admin})
        with pytest.raises(ClusterMisconfigured, match=r"Kueue is not installed; install Kueue on the cluster"):
            await team_bench.open(settings=settings)
    finally:
        await asyncio.to_thread(bare.stop)


async def test_a_kueue_that_does_not_answer_is_named_and_the_job_given_again(
    team_bench: ClusterBench, control_plane: ControlPlane
) -> None:
    backend, run = await team_bench.open(), make_run()
    control_plane.kill_process("kueue")
    try:
        with pytest.raises(BackendUnavailable, match=r"failed calling webhook .*check that Kueue's controller"):
            await backend.submit(run)
        status = await backend.status(run.name)
        assert (status.state, "not given to the cluster yet" in str(status.reason)) == (RunState.QUEUED, True)
    finally:
        control_plane.restart_process("kueue")
    await until_submitted(backend, run)
    assert (await wait_for_end(backend, run)).state is RunState.SUCCEEDED


async def test_a_namespace_deleted_in_the_middle_loses_the_run_and_says_so(
    team_bench: ClusterBench, team: Team, tmp_path: Path
) -> None:
    backend, run = await team_bench.open(), make_run("wait_until_file", payload={"file": str(tmp_path / "never")})
    await backend.submit(run)
    await wait_until_running(backend, run)
    team.plane.kubectl("delete", "namespace", team.namespace, "--wait=false")
    status = await wait_for_end(backend, run)
    assert (status.cause, status.retryable) == (Cause.LOST, True), status.reason
    assert "its Job is gone from the cluster: deleted by someone else, or with its namespace" in str(status.reason)
    with pytest.raises(BackendUnavailable, match=r"deleted.* deploy/kubernetes"):
        await backend.submit(make_run(key="b" * 64))
    team_bench.opened.clear()  # nobody can clear away in a namespace that is gone
    await backend.close()


async def test_a_missing_priority_class_is_named_at_the_start(team_bench: ClusterBench) -> None:
    settings = team_bench.settings.model_copy(update={"priority_class_prefix": "company-"})
    with pytest.raises(ClusterMisconfigured, match="there is no WorkloadPriorityClass company-low"):
        await team_bench.open(settings=settings)


async def test_a_queue_without_a_cluster_queue_is_said_at_the_start(team_bench: ClusterBench, team: Team) -> None:
    team.plane.kubectl("delete", "clusterqueue", team.namespace)
    with pytest.raises(ClusterMisconfigured, match=r"LocalQueue assay takes no work: .*create its ClusterQueue"):
        await asyncio.wait_for(opened_in_vain(team_bench), 60)
    team.set_quota(cpu=16)
    await asyncio.wait_for(opened_again(team_bench), 60)


async def opened_in_vain(bench: ClusterBench) -> None:
    """Kueue says so a moment after the deletion."""
    while True:
        await bench.open()
        await asyncio.sleep(0.2)


async def opened_again(bench: ClusterBench) -> None:
    while True:
        with contextlib.suppress(ClusterMisconfigured):
            await bench.open()
            return
        await asyncio.sleep(0.2)


async def test_a_gpu_type_that_no_flavor_has_is_refused_with_those_there_are(
    team_bench: ClusterBench, team: Team
) -> None:
    team.set_flavor("test-gpu", {"nvidia.com/gpu.product": "TEST-GPU"})
    team.set_quota(cpu=16, flavor="test-gpu")
    backend = await team_bench.open()
    with pytest.raises(ResourcesUnavailable, match=r"hardware\.gpu_type: 'TEST-GPV' is not in queue assay; use one of"):
        await backend.submit(make_run(resources=Resources(gpus=1, gpu_type="TEST-GPV")))
    status = await submit_and_wait(backend, make_run(resources=Resources(gpus=1, gpu_type="TEST-GPU")))
    assert status.state is RunState.SUCCEEDED


async def test_quota_taken_away_later_is_said_while_the_job_waits(
    team_bench: ClusterBench, team: Team, tmp_path: Path
) -> None:
    team.set_quota(cpu=1)
    backend, go = await team_bench.open(), tmp_path / "go"
    holder, waiting = (make_run("wait_until_file", key=letter * 64, payload={"file": str(go)}) for letter in "ab")
    await backend.submit(holder)
    await wait_until_running(backend, holder)
    await backend.submit(waiting)
    await wait_for(backend, waiting, lambda status: "waits in queue assay" in str(status.reason))
    team.set_quota(cpu=0)
    status = await wait_for(backend, waiting, lambda status: "queue assay can give 0 at most" in str(status.reason))
    assert status.state is RunState.QUEUED
    team.set_quota(cpu=2)
    go.touch()
    assert (await wait_for_end(backend, waiting)).state is RunState.SUCCEEDED


async def test_a_stopped_queue_is_said_while_the_job_waits(team_bench: ClusterBench, team: Team) -> None:
    backend, run = await team_bench.open(), make_run()
    team.set_quota(cpu=16, stopPolicy="Hold")
    await backend.submit(run)
    status = await wait_for(backend, run, lambda status: "inactive" in str(status.reason))
    assert status.state is RunState.QUEUED
    team.set_quota(cpu=16)
    assert (await wait_for_end(backend, run)).state is RunState.SUCCEEDED


async def test_a_secret_that_is_missing_is_named_on_the_job(team_bench: ClusterBench) -> None:
    settings = team_bench.settings.model_copy(update={"env_from": ("secret:assay-store",), "start_patience_s": 1.0})
    status = await submit_and_wait(await team_bench.open(settings=settings), make_run())
    assert (status.state, status.error_class) == (RunState.FAILED, "pod")
    assert "assay-store" in str(status.reason)
    assert "ASSAY_KUBERNETES_ENV_FROM" in str(status.reason)


async def test_a_pod_that_cannot_be_made_is_told_of_in_the_log(team_bench: ClusterBench) -> None:
    settings = team_bench.settings.model_copy(update={"service_account": "assay-jbo"})
    backend, run = await team_bench.open(settings=settings), make_run()
    await backend.submit(run)
    await wait_for(backend, run, lambda status: "the job's log says what the cluster says" in str(status.reason))
    for _ in range(100):
        log = await backend.logs(run.name)
        if "FailedCreate" in log:
            break
        await asyncio.sleep(0.1)
    (line,) = [line for line in log.splitlines() if "FailedCreate" in line]
    assert line.startswith("[cluster] 20")
    assert 'serviceaccount "assay-jbo" not found' in line


async def test_a_lost_node_is_said_and_the_run_goes_on_elsewhere(
    team_bench: ClusterBench, team: Team, control_plane: ControlPlane, tmp_path: Path
) -> None:
    control_plane.start_node("node-2")
    try:
        control_plane.kubectl("cordon", "node-1")
        backend, go = await team_bench.open(), tmp_path / "go"
        run = make_run("count_then_wait", payload={"file": str(go), "counter": str(tmp_path / "counter")})
        await backend.submit(run)
        await wait_until_running(backend, run)
        control_plane.kubectl("uncordon", "node-1")
        control_plane.lose_node("node-2")
        status = await wait_for(backend, run, lambda status: "node node-2 does not answer" in str(status.reason))
        assert status.state is RunState.RUNNING
        control_plane.kubectl("taint", "node", "node-2", "node.kubernetes.io/out-of-service=lost:NoExecute")
        await until(lambda: (tmp_path / "counter").read_text() == "started\nstarted\n")
        go.touch()
        status = await wait_for_end(backend, run)
        assert (status.state, status.run.attempt) == (RunState.SUCCEEDED, 1)
    finally:
        control_plane.kubectl("uncordon", "node-1")
        control_plane.kubectl("delete", "node", "node-2", check=False)

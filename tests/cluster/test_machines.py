"""Runs over several machines on a real cluster: let in by Kueue as a whole, executed by KubeRay's operator and Ray."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from assay_chassis.compute import JobRun, Resources, ResourcesUnavailable, RunState
from contract_bench import make_run, submit_and_wait, wait_for, wait_for_end, wait_until_running
from control_plane import ControlPlane
from teams import ClusterBench, Team, load_system_tests, training_results

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(400)]
RAY_PORTS = (6379, 8265)
WITHIN_S = 300.0


def run_of(letter: str = "a", function: str = "succeed", priority: str = "MED", **payload: Any) -> JobRun:
    labels = {"priority": priority}
    return make_run(function, key=letter * 64, resources=Resources(nodes=2), labels=labels, payload=payload)


@pytest.fixture(autouse=True)
def _as_patient_as_ray_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("contract_bench.WAIT_S", WITHIN_S)


@pytest.fixture
def claim(team: Team) -> str:
    """A claim in the team's namespace that all machines see."""
    name, space = team.namespace, {"storage": "1Gi"}
    common = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    claim = {"namespace": name, "name": "shared"}
    volume = {**common, "capacity": space, "hostPath": {"path": "/shared"}, "claimRef": claim}
    asked = {**common, "resources": {"requests": space}, "volumeName": name}
    team.plane.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": claim, "spec": asked},
    )
    return claim["name"]


@pytest.fixture
def shared(team_bench: ClusterBench, claim: str) -> ClusterBench:
    """A bench whose machines share a folder."""
    team_bench.settings = team_bench.settings.model_copy(update={"shared_claim": claim})
    return team_bench


@pytest.fixture(scope="module")
def kuberay(control_plane: ControlPlane) -> Iterator[None]:
    """KubeRay's operator. Every pod here has this machine's address, so Ray's own ports must be free on it."""
    for port in RAY_PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} of this machine is taken, which the first machine of a Ray cluster needs")
    control_plane.start_kuberay()
    yield
    control_plane.stop_process("kuberay")


async def test_kueue_counts_all_machines_and_lets_them_in_together(shared: ClusterBench, team: Team) -> None:
    team.set_quota(cpu=1)
    backend, run = await shared.open(), run_of()
    await backend.submit(run)
    status = await wait_for(backend, run, lambda status: "waits in queue assay" in str(status.reason))
    assert status.state is RunState.QUEUED
    (workload,) = team.objects("workloads")
    assert sum(group["count"] for group in workload["spec"]["podSets"]) == 2
    team.set_quota(cpu=2)
    status = await wait_for(backend, run, lambda status: status.state is not RunState.QUEUED)
    assert "let in by Kueue; waits for KubeRay to make its machines" in str(status.reason)
    await backend.cancel(run.name)
    assert (await wait_for_end(backend, run)).state is RunState.CANCELLED


async def test_machines_that_must_share_a_rack_are_let_in_on_one_and_wait_where_none_has_room(
    shared: ClusterBench, team: Team, control_plane: ControlPlane
) -> None:
    control_plane.kubectl("label", "node", "node-1", "assay.test/rack=r1")
    try:
        topology = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "Topology", "metadata": {"name": team.namespace}}
        team.plane.apply({**topology, "spec": {"levels": [{"nodeLabel": "assay.test/rack"}]}})
        team.set_flavor(team.namespace, {"kubernetes.io/hostname": "node-1"}, topologyName=team.namespace)
        team.set_quota(cpu=1000, flavor=team.namespace)
        settings = shared.settings.model_copy(update={"topology": "assay.test/rack"})
        backend, run = await shared.open(settings=settings), run_of()
        await backend.submit(run)
        await wait_for(backend, run, lambda status: "let in by Kueue" in str(status.reason))
        (workload,) = team.objects("workloads")
        groups = workload["status"]["admission"]["podSetAssignments"]
        racks = [part["valuesPerLevel"] for group in groups for part in group["topologyAssignment"]["slices"]]
        assert racks == [[{"universal": "r1"}]] * 2
        await backend.cancel(run.name)
        wide = make_run("succeed", key="b" * 64, resources=Resources(nodes=2, cpus=60))
        await backend.submit(wide)
        status = await wait_for(backend, wide, lambda status: "topology" in str(status.reason))
        assert status.state is RunState.QUEUED
        await backend.cancel(wide.name)
    finally:
        control_plane.kubectl("label", "node", "node-1", "assay.test/rack-")


@pytest.mark.usefixtures("kuberay")
async def test_a_claim_that_is_missing_is_said_while_the_machines_wait(team_bench: ClusterBench, team: Team) -> None:
    backend, run = await team_bench.open(settings=team.settings(shared_claim="sharde")), run_of()
    await backend.submit(run)
    status = await wait_for(backend, run, lambda status: "no node takes it" in str(status.reason))
    assert status.state is RunState.STARTING
    assert 'persistentvolumeclaim "sharde" not found' in str(status.reason)


async def test_machines_without_a_shared_folder_or_beyond_the_quota_are_refused(
    team_bench: ClusterBench, team: Team
) -> None:
    with pytest.raises(ResourcesUnavailable, match=r"hardware\.nodes: 2 asked, and no folder is known"):
        await (await team_bench.open()).submit(run_of())
    backend = await team_bench.open(settings=team.settings(shared_claim="shared"))
    with pytest.raises(ResourcesUnavailable, match=r"24 asked by 3 of 4 machines, queue assay can give 16 at most"):
        await backend.submit(make_run(resources=Resources(cpus=8, nodes=4)))


@pytest.mark.usefixtures("kuberay")
async def test_the_job_has_a_ray_cluster_of_all_its_machines(shared: ClusterBench) -> None:
    backend, run = await shared.open(), run_of(function="count_ray_machines", machines=2)
    status = await submit_and_wait(backend, run)
    assert (status.state, status.outcome) == (RunState.SUCCEEDED, {"machines": 2}), status
    assert "seen from Ray: 2" in await backend.logs(run.name)


@pytest.mark.usefixtures("kuberay")
async def test_a_failure_is_told_in_the_job_s_own_words(shared: ClusterBench) -> None:
    status = await submit_and_wait(await shared.open(), run_of(function="raise_error"))
    assert (status.state, status.error_class) == (RunState.FAILED, "builtins.ValueError")


@pytest.mark.usefixtures("kuberay")
async def test_evicted_it_goes_on_with_the_same_attempt_and_another_life_of_the_service_sees_its_end(
    shared: ClusterBench, team: Team, tmp_path: Path
) -> None:
    team.set_quota(cpu=2)
    backend = await shared.open()
    run = run_of("a", "count_then_wait", "LOW", file=str(tmp_path / "low"), counter=str(tmp_path / "counter"))
    await backend.submit(run)
    await wait_until_running(backend, run)
    first = run_of("b", "wait_until_file", "HIGH", file=str(tmp_path / "high")).model_copy(
        update={"resources": Resources()}
    )
    await backend.submit(first)
    await wait_until_running(backend, first)
    status = await wait_for(backend, run, lambda status: status.state is RunState.QUEUED)
    assert "made room for work that goes first" in str(status.reason)
    assert (tmp_path / "counter").read_text() == "started\nasked to end\n"
    await backend.close()
    for name in ("high", "low"):
        (tmp_path / name).touch()
    later = await shared.open()
    status = await wait_for_end(later, run)
    assert (status.state, status.run.attempt) == (RunState.SUCCEEDED, 1)
    assert "[assay] interrupted; it goes on in another pod" in await later.logs(run.name)


@pytest.mark.usefixtures("kuberay")
async def test_cancelled_it_ends_in_order_and_leaves_no_machine(
    shared: ClusterBench, team: Team, tmp_path: Path
) -> None:
    backend = await shared.open()
    run = run_of("a", "count_then_wait", file=str(tmp_path / "never"), counter=str(tmp_path / "counter"))
    await backend.submit(run)
    await wait_until_running(backend, run)
    await backend.cancel(run.name)
    assert (await wait_for_end(backend, run)).state is RunState.CANCELLED
    assert (tmp_path / "counter").read_text() == "started\nasked to end\n"
    await backend.forget(run.name)
    assert await backend.list() == []


@pytest.mark.usefixtures("kuberay")
def test_an_experiment_trains_over_two_machines(
    team: Team, claim: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = load_system_tests()
    environment = team.system_environment(ASSAY_KUBERNETES_SHARED_CLAIM=claim, ASSAY_CAPACITY_NODES="2")
    with system.running(tmp_path / "system", system.SERVICES, environment) as whole:
        monkeypatch.setenv("ASSAY_HOME", str(whole.state))
        document = whole.document(hardware={"nodes": 2}, evaluation_hardware={})
        document["benchmarks"] = document["benchmarks"][1:]
        run = whole.submit(**document)
        system.ground.until(lambda: team.objects("rayclusters"), "a Ray cluster was made", WITHIN_S)
        whole.ended(run, WITHIN_S)
        trained = training_results(whole.state / "store")
    assert [one["attempt"] for one in trained] == [1]
    assert trained[0]["steps"] == document["training"]["hyperparameters"]["steps"]

"""Jobs on a real cluster: who goes first, what an eviction costs, and what people are told."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from assay_chassis.compute import JobRun, Resources, ResourcesUnavailable, RunState
from assay_chassis.compute.kubernetes.errors import ClusterMisconfigured
from contract_bench import make_run, submit_and_wait, wait_for, wait_for_end, wait_until_running
from control_plane import ControlPlane
from teams import ROOT, ClusterBench, Team
from waiting import until, until_submitted

pytestmark = [pytest.mark.real, pytest.mark.slow]


def run_of(letter: str, priority: str, function: str = "wait_until_file", **payload: Any) -> JobRun:
    return make_run(function, key=letter * 64, labels={"priority": priority}, payload=payload)


async def test_the_highest_priority_goes_first_when_there_is_room(
    team_bench: ClusterBench, team: Team, tmp_path: Path
) -> None:
    team.set_quota(cpu=1, preemption={"withinClusterQueue": "Never"})
    backend, go = await team_bench.open(), tmp_path / "go"
    holder = run_of("a", "MED", file=str(go))
    await backend.submit(holder)
    await wait_until_running(backend, holder)
    waiting = [run_of(letter, priority, "succeed") for letter, priority in (("b", "LOW"), ("c", "MED"), ("d", "HIGH"))]
    for run in waiting:
        await backend.submit(run)
    status = await wait_for(backend, waiting[0], lambda status: "waits in queue" in str(status.reason))
    assert status.state is RunState.QUEUED
    go.touch()
    ended = [await wait_for_end(backend, run) for run in waiting]
    low, med, high = (status.started_at for status in ended)
    assert high < med < low  # type: ignore[operator]


async def test_high_preempts_low_which_goes_on_with_the_same_attempt(
    team_bench: ClusterBench, team: Team, tmp_path: Path
) -> None:
    team.set_quota(cpu=1)
    backend, low_go, high_go = await team_bench.open(), tmp_path / "low", tmp_path / "high"
    low = run_of("a", "LOW", "count_then_wait", file=str(low_go), counter=str(tmp_path / "counter"))
    high = run_of("b", "HIGH", file=str(high_go))
    await backend.submit(low)
    await wait_until_running(backend, low)
    await backend.submit(high)
    await wait_until_running(backend, high)
    status = await wait_for(backend, low, lambda status: status.state is RunState.QUEUED)
    assert "made room for work that goes first" in str(status.reason)
    assert (tmp_path / "counter").read_text() == "started\nasked to end\n"
    high_go.touch()
    low_go.touch()
    assert (await wait_for_end(backend, high)).state is RunState.SUCCEEDED
    status = await wait_for_end(backend, low)
    assert (status.state, status.run.attempt) == (RunState.SUCCEEDED, 1)
    (job,) = [job for job in team.objects("jobs") if job["metadata"]["name"] == low.name]
    assert job["status"].get("failed", 0) == 0
    assert "[assay] interrupted; it goes on in another pod" in await backend.logs(low.name)


async def test_a_deactivated_workload_ends_the_run_and_says_so(
    team_bench: ClusterBench, team: Team, tmp_path: Path
) -> None:
    backend, run = await team_bench.open(), run_of("a", "MED", file=str(tmp_path / "never"))
    await backend.submit(run)
    await wait_until_running(backend, run)
    (workload,) = team.objects("workloads")
    patch = '{"spec": {"active": false}}'
    name = workload["metadata"]["name"]
    team.plane.kubectl("patch", "workload", name, "-n", team.namespace, "--type=merge", "-p", patch)
    status = await wait_for_end(backend, run)
    assert (status.state, status.error_class) == (RunState.FAILED, "deactivated")
    assert f"{name} was deactivated in Kueue" in str(status.reason)


async def test_an_image_that_is_not_there_is_said_and_then_ends_the_run(team_bench: ClusterBench, team: Team) -> None:
    settings = team_bench.settings.model_copy(update={"image": "missing/trainer:9", "start_patience_s": 1.0})
    status = await submit_and_wait(await team_bench.open(settings=settings), make_run())
    assert (status.state, status.error_class) == (RunState.FAILED, "image")
    assert "its image missing/trainer:9 cannot be pulled (ImagePullBackOff)" in str(status.reason)


async def test_quota_that_is_never_enough_is_refused_and_a_full_queue_waits(
    team_bench: ClusterBench, team: Team
) -> None:
    team.set_quota(cpu=2)
    backend = await team_bench.open()
    with pytest.raises(ResourcesUnavailable, match=r"hardware\.cpus: 3 asked, queue assay can give 2 at most"):
        await backend.submit(make_run(resources=Resources(cpus=3)))


async def test_a_node_that_cannot_hold_the_pod_is_said(team_bench: ClusterBench, team: Team) -> None:
    team.set_quota(cpu=1000)
    backend, run = await team_bench.open(), make_run(resources=Resources(cpus=500))
    await backend.submit(run)
    status = await wait_for(backend, run, lambda status: "no node takes it" in str(status.reason))
    assert status.state is RunState.STARTING
    assert "Insufficient cpu" in str(status.reason)


async def test_a_gpu_is_counted_and_its_type_finds_the_node(team_bench: ClusterBench, team: Team) -> None:
    resources = Resources(gpus=2, gpu_type="TEST-GPU")
    status = await submit_and_wait(await team_bench.open(), make_run(resources=resources))
    assert status.state is RunState.SUCCEEDED


async def test_the_api_server_killed_and_started_again_loses_nothing(
    team_bench: ClusterBench, control_plane: ControlPlane, tmp_path: Path
) -> None:
    backend, go = await team_bench.open(), tmp_path / "go"
    run = run_of("a", "MED", file=str(go))
    await backend.submit(run)
    await wait_until_running(backend, run)
    control_plane.kill_process("apiserver")
    assert (await backend.status(run.name)).state is RunState.RUNNING
    go.touch()
    status = await wait_for_end(backend, run)
    assert status.outcome == {"waited": True}
    await asyncio.to_thread(control_plane.restart_process, "apiserver")
    await until(lambda: control_plane.kubectl("get", "--raw=/readyz", check=False) == "ok")
    after = make_run(key="b" * 64)
    await until_submitted(backend, after)
    assert (await wait_for_end(backend, after)).state is RunState.SUCCEEDED


async def test_a_deleted_pod_is_replaced_and_the_run_goes_on(
    team_bench: ClusterBench, team: Team, tmp_path: Path
) -> None:
    backend, go = await team_bench.open(), tmp_path / "go"
    run = run_of("a", "MED", "count_then_wait", file=str(go), counter=str(tmp_path / "counter"))
    await backend.submit(run)
    await wait_until_running(backend, run)
    (pod,) = team.objects("pods")
    team.plane.kubectl("delete", "pod", pod["metadata"]["name"], "-n", team.namespace)
    go.touch()
    assert (await wait_for_end(backend, run)).state is RunState.SUCCEEDED
    assert (tmp_path / "counter").read_text() == "started\nasked to end\nstarted\n"


def test_the_shipped_account_may_do_what_is_needed_and_no_more(team: Team) -> None:
    for account in ("assay-trainer", "assay-evaluator"):
        who = f"--as=system:serviceaccount:{team.namespace}:{account}"
        allowed = team.plane.kubectl("auth", "can-i", "--list", who, "-n", team.namespace)
        assert "jobs.batch" in allowed
        for verb, what in (("get", "secrets"), ("create", "pods"), ("create", "pods/exec"), ("patch", "jobs")):
            answer = team.plane.kubectl("auth", "can-i", verb, what, who, "-n", team.namespace, check=False)
            assert answer.startswith("no"), (account, verb, what)
        assert team.plane.kubectl("auth", "can-i", "create", "jobs", who, "-n", "default", check=False).startswith("no")
    job = f"--as=system:serviceaccount:{team.namespace}:assay-job"
    assert team.plane.kubectl("auth", "can-i", "list", "pods", job, "-n", team.namespace, check=False).startswith("no")


async def test_an_account_without_permission_is_told_what_to_apply(team_bench: ClusterBench, team: Team) -> None:
    with pytest.raises(ClusterMisconfigured, match=r"no permission in namespace .* apply deploy/kubernetes"):
        await team_bench.open(settings=team.settings(account="assay-job"))


async def test_a_missing_queue_is_named_at_the_start(team_bench: ClusterBench) -> None:
    with pytest.raises(ClusterMisconfigured, match="there is no LocalQueue reserch in namespace"):
        await team_bench.open(settings=team_bench.settings.model_copy(update={"queue": "reserch"}))


def test_everything_shipped_is_taken_strictly_by_the_api_server(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "assay", check=False)
    rendered = control_plane.kubectl("kustomize", str(ROOT / "deploy" / "kubernetes"))
    answer = control_plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", text=rendered)
    assert answer.count("(server dry run)") == rendered.count("\nkind: ") + rendered.startswith("kind: ")


def test_scaling_by_consumer_lag_is_taken_strictly_where_keda_is_installed(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    for name in ("keda.sh_scaledobjects.yaml", "keda.sh_triggerauthentications.yaml"):
        definition = control_plane.binaries["keda-crds"] / name
        control_plane.kubectl("apply", "--server-side", "-f", str(definition))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/scaledobjects.keda.sh", "--timeout=30s")
    shipped = os.path.relpath(ROOT / "deploy/kubernetes", tmp_path)
    overlay = {"resources": [shipped], "components": [f"{shipped}/autoscaling"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    rendered = control_plane.kubectl("kustomize", str(tmp_path))
    scaled = [item for item in yaml.safe_load_all(rendered) if item["kind"] == "ScaledObject"]
    assert len(scaled) == 4
    control_plane.kubectl("create", "namespace", "assay", check=False)
    text = yaml.safe_dump_all(scaled)
    answer = control_plane.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", text=text)
    assert answer.count("(server dry run)") == 4

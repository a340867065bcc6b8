"""Runs on several machines: one Ray job each, against an API server whose objects the test moves."""

import asyncio

import pytest
from assay_chassis.compute import Resources, ResourcesUnavailable, RunState
from contract_bench import make_run
from fake_api import JOBS, PODS, RAY_JOBS
from ground import POD_LABELS, Ground, wait_for

pytestmark = pytest.mark.real
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

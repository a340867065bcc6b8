"""One job over two machines of a Ray cluster, several raylets here: a machine is lost, and the job goes on.

Takes half a minute and more, so it is run by `make test-nodes` alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from assay_chassis.compute import JobRun, Resources, RunStatus
from assay_schemas.experiments import Hardware
from assay_schemas.jobs import TrainingRequest
from assay_schemas.parallelism import Parallelism
from assay_schemas.results import TrainingResult
from raylets import raylets
from training_ground import Ground

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif("ASSAY_TEST_NODES" not in os.environ, reason="several raylets: run `make test-nodes`"),
    pytest.mark.timeout(600),
]
PATIENCE_S = 400
LAYOUT = Parallelism(data=2)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """A head without cores and three machines with one each, on this one."""
    system = {"health_check_period_ms": 1000, "health_check_failure_threshold": 10}
    with raylets({"num_cpus": 0, "_system_config": system}, others=3) as made:
        yield made


def over_two(request: TrainingRequest) -> TrainingRequest:
    return request.model_copy(update={"hardware": Hardware(cpus=1, nodes=2, parallelism=LAYOUT)})


def run_of(request: TrainingRequest) -> JobRun:
    return JobRun(
        kind="training",
        job_key=request.job_key,
        attempt=request.attempt,
        entrypoint="assay_trainer.worker:run",
        payload=request.model_dump(mode="json"),
        resources=Resources(cpus=1, nodes=2),
    )


async def until(backend: Any, run: JobRun, done: Callable[[RunStatus], Any]) -> RunStatus:
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        status: RunStatus = await backend.status(run.name)
        if done(status):
            return status
        assert not status.state.ended, (status.reason, status.log_tail)
        await asyncio.sleep(0.05)
    raise AssertionError(f"not in {PATIENCE_S} s: {await backend.logs(run.name)}")


def machine_of(cluster: Any, process: int) -> Any:
    """The node whose raylet started a process."""
    above = {parent.pid for parent in psutil.Process(process).parents()}
    return next((node for node in cluster.list_all_nodes() if raylet_of(node) in above), None)


def raylet_of(node: Any) -> int:
    return int(node.all_processes["raylet"][0].process.pid)


def pid_of_rank(folder: Path, rank: int) -> int:
    return int(json.loads((folder / "work" / "processes" / f"machine-{rank}.json").read_text())["pid"])


def weights_of(result: TrainingResult) -> dict[str, Any]:
    from safetensors.torch import load_file

    folder = Path(result.checkpoints[-1].checkpoint.uri.removeprefix("file://"))
    return load_file(folder / "model.safetensors")


async def test_a_lost_machine_costs_what_came_after_the_last_checkpoint(
    cluster: Any, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from assay_chassis.compute.ray import RayBackend
    from assay_chassis.object_store import SyncObjectStore
    from assay_trainer.training_job import TrainingJob
    from training_ground import Watched

    monkeypatch.setenv("ASSAY_OBJECT_STORE", ground.root.as_uri())
    options = {"steps": 60, "checkpoint_every": 5, "weight_decay": 0.1}
    request = over_two(ground.request(**options))
    run, root = run_of(request), tmp_path / "runs"
    backend = RayBackend(root, address=cluster.address, environment={"ASSAY_OBJECT_STORE": ground.root.as_uri()})
    await backend.start()
    try:
        await backend.submit(run)
        await until(backend, run, lambda _: list((ground.root / "checkpoints").glob("*/*/*/complete.json")))
        keeper = json.loads((root / run.name / "keeper.json").read_text())["pid"]
        ranks = [machine_of(cluster, pid_of_rank(root / run.name, rank)) for rank in (0, 1)]
        assert ranks[0] is not ranks[1], "each machine has one process"
        spared = machine_of(cluster, keeper)
        cluster.remove_node(next(node for node in ranks if node is not spared), allow_graceful=False)
        end = await until(backend, run, lambda status: status.state == "succeeded")
        assert end.progress
        assert end.progress["step"] == 60
    finally:
        await backend.shutdown()
    [manifest] = (ground.root / "results" / request.job_key).glob("*/manifest.json")
    result = TrainingResult.model_validate_json(manifest.read_bytes())
    assert result.resumed_from_step >= 5
    assert [one.checkpoint.step for one in result.checkpoints] == list(range(5, 61, 5))
    alone = Ground(tmp_path / "alone", Path(ground.model.uri.removeprefix("file://")))
    with SyncObjectStore(alone.root.as_uri()) as store:
        whole = TrainingJob(alone.request(**options), store, tmp_path / "scratch", Watched()).run()
    ended, wanted = weights_of(result), weights_of(whole)
    assert all(torch.allclose(ended[name], tensor, rtol=1e-4, atol=1e-5) for name, tensor in wanted.items())


async def test_a_fault_of_the_job_is_its_own_and_not_tried_again(cluster: Any, ground: Ground, tmp_path: Path) -> None:
    from assay_chassis.compute.ray import RayBackend

    request = over_two(ground.request(ground.raw_dataset(b'{"neither": 1}\n')))
    backend = RayBackend(
        tmp_path / "runs", address=cluster.address, environment={"ASSAY_OBJECT_STORE": ground.root.as_uri()}
    )
    await backend.start()
    try:
        await backend.submit(run_of(request))
        deadline = time.monotonic() + PATIENCE_S
        while not (status := await backend.status(run_of(request).name)).state.ended and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        assert (status.state, status.error_class, status.retryable) == ("failed", "bad_input", False), status.log_tail
    finally:
        await backend.shutdown()

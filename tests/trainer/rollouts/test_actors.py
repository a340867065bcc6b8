"""Samples drawn by processes of a Ray cluster: those of one process, whatever becomes of one of them.

Starts a cluster, so it is run by `make test-nodes` alone.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rollout_engine_contract as contract
from assay_chassis.compute import JobRun, Resources
from assay_schemas.experiments import Hardware
from assay_schemas.jobs import TrainingRequest
from assay_schemas.results import TrainingResult
from raylets import raylets
from training_ground import Ground, lines

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif("ASSAY_TEST_NODES" not in os.environ, reason="a Ray cluster: run `make test-nodes`"),
    pytest.mark.timeout(600),
]
PILOT = Path(__file__).parents[3] / "examples" / "pilot" / "model"
PROMPTS = [[60, 61, 62], [63], [64, 65, 66, 67], [70, 71], [72]]
CHANGES: dict[str, Any] = {
    "algorithm": "GRPO",
    "rollout_engine": "transformers",
    "reward": {"kind": "verifier", "name": "regex", "pattern": "[aeiou]"},
    "batch_size": 4,
    "group_size": 3,
    "steps": 3,
    "max_completion_length": 6,
    "kl_coefficient": 0.05,
}
SUMS = [{"prompt": f"{number} + 1 = ", "answer": str(number + 1)} for number in range(20)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with raylets({"num_cpus": 4}) as made:
        yield made


def tokens_of(groups: Any) -> list[list[tuple[int, ...]]]:
    return [[completion.tokens for completion in group] for group in groups]


def test_two_actors_draw_what_one_process_draws_also_when_one_is_killed(
    cluster: Any, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    import torch
    from assay_chassis.compute.ray import CLUSTER
    from assay_trainer.model import load_model
    from assay_trainer.rollouts import open_engine
    from assay_trainer.rollouts.actors import open_on_actors
    from assay_trainer.rollouts.base import EngineSettings, Sampling

    monkeypatch.setenv(CLUSTER, cluster.address)
    settings, sampling = EngineSettings(model_folder, (258,), 258, 64), Sampling(1.0, 1.0, 8)
    model = load_model(model_folder, torch.device("cpu"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    alone = open_engine("transformers", settings)
    alone.update_weights(model)
    wanted = tokens_of(alone.generate(PROMPTS, 3, sampling, 7))
    actors = open_on_actors("transformers", settings, 2, gpus=False)
    try:
        actors.update_weights(model)
        assert tokens_of(actors.generate(PROMPTS, 3, sampling, 7)) == wanted
        before = ray.get([actor.pid.remote() for actor in actors._actors], timeout=60)
        os.kill(before[1], signal.SIGKILL)
        assert tokens_of(actors.generate(PROMPTS, 3, sampling, 7)) == wanted
        after = ray.get([actor.pid.remote() for actor in actors._actors], timeout=60)
        assert after[0] == before[0]
        assert after[1] != before[1]
    finally:
        actors.close()
        ray.shutdown()


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
def test_vllm_in_two_actors_does_what_an_engine_does_and_a_lost_one_has_the_newest_weights(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray
    from assay_chassis.compute.ray import CLUSTER
    from assay_trainer.rollouts.actors import open_on_actors
    from assay_trainer.rollouts.base import EngineSettings
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv(CLUSTER, cluster.address)
    model = AutoModelForCausalLM.from_pretrained(PILOT).eval()
    actors = open_on_actors("vllm", EngineSettings(PILOT, (257,), 258, 64), 2, gpus=False)
    try:
        actors.update_weights(model)
        contract.check_shapes_and_ends(actors, 257)
        contract.check_repeatable(actors)
        contract.check_weights_are_followed(actors, model)
        os.kill(ray.get(actors._actors[1].pid.remote(), timeout=60), signal.SIGKILL)
        contract.check_logprobs(actors, model)
    finally:
        actors.close()
        ray.shutdown()


async def test_a_whole_job_with_actors_beside_it_ends_with_the_weights_of_one_without(
    cluster: Any, ground: Ground, tmp_path: Path, train_afresh: Any
) -> None:
    import torch
    from safetensors.torch import load_file

    request = with_actors(ground.request(ground.dataset(SUMS), **CHANGES))
    result = await run_on(cluster, ground, request, tmp_path)
    alone = train_afresh(request.model_copy(update={"hardware": Hardware(cpus=1)}))
    ended, wanted = (load_file(folder_of(one.checkpoints[-1]) / "model.safetensors") for one in (result, alone))
    assert all(torch.allclose(ended[name], tensor, rtol=1e-4, atol=1e-5) for name, tensor in wanted.items())


@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
async def test_a_whole_job_on_vllm_in_actors_has_samples_of_the_weights_that_it_trains(
    cluster: Any, tmp_path: Path
) -> None:
    ground = Ground(tmp_path / "store", PILOT)  # vLLM attends with heads of 32 and more; the tiny model has 8
    some_right = {"kind": "verifier", "name": "regex", "pattern": "[0-4]"}
    changes = CHANGES | {"rollout_engine": "vllm", "reward": some_right, "temperature": 2.0}
    request = with_actors(ground.request(ground.dataset(SUMS), **changes))
    result = await run_on(cluster, ground, request, tmp_path)
    assert result.metrics is not None
    steps = lines(Path(result.metrics.uri.removeprefix("file://")))
    assert [step["step"] for step in steps] == [1, 2, 3]
    assert max(step["grad_norm"] for step in steps) > 0
    assert max(step["metrics"]["mismatch"] for step in steps) < 1e-3


def with_actors(request: TrainingRequest) -> TrainingRequest:
    return request.model_copy(update={"hardware": Hardware(cpus=1, rollout_actors=2)})


def folder_of(saved: Any) -> Path:
    return Path(saved.checkpoint.uri.removeprefix("file://"))


async def run_on(cluster: Any, ground: Ground, request: TrainingRequest, folder: Path) -> TrainingResult:
    """Runs a training on the cluster as its backend does; the result that its manifest says."""
    from assay_chassis.compute.ray import RayBackend

    run = JobRun(
        kind="training",
        job_key=request.job_key,
        attempt=1,
        entrypoint="assay_trainer.worker:run",
        payload=request.model_dump(mode="json"),
        resources=Resources(cpus=1),
    )
    environment = {"ASSAY_OBJECT_STORE": ground.root.as_uri()}
    backend = RayBackend(folder / "runs", address=cluster.address, environment=environment)
    await backend.start()
    try:
        await backend.submit(run)
        deadline = time.monotonic() + 400
        while not (status := await backend.status(run.name)).state.ended and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        assert status.state == "succeeded", (status.reason, status.log_tail)
    finally:
        await backend.shutdown()
    [manifest] = (ground.root / "results" / request.job_key).glob("*/manifest.json")
    return TrainingResult.model_validate_json(manifest.read_bytes())

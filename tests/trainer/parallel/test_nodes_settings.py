"""What processes on other machines are given."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import pytest
from assay_chassis.job_service.failures import JobFailed
from assay_schemas.experiments import Hardware
from assay_schemas.jobs import TrainingInputs, TrainingRequest, job_key
from assay_schemas.parallelism import DIMENSIONS, Parallelism, why_not

pytestmark = pytest.mark.real

INPUTS = TrainingInputs(
    algorithm="SFT", engine_version="1", model="a" * 64, dataset="b" * 64, hyperparameters={}, seed=0
)


def request(**hardware: object) -> TrainingRequest:
    return TrainingRequest.model_validate(
        {
            "job_key": job_key(INPUTS),
            "attempt": 1,
            "inputs": INPUTS,
            "model": {"uri": "file:///m", "digest": "a" * 64},
            "dataset": {"uri": "file:///d", "digest": "b" * 64, "rows": 1},
            "hardware": Hardware.model_validate(hardware),
        }
    )


def test_each_process_gets_its_part_of_a_machine() -> None:
    from assay_trainer.parallel.nodes import resources_of_one

    asked = request(cpus=8, gpus=2, memory_gib=6, nodes=2)
    assert resources_of_one(asked, Parallelism(data=4)) == {"CPU": 4.0, "GPU": 1.0, "memory": 3 * 2**30}


def test_secrets_do_not_travel_with_the_settings() -> None:
    from assay_trainer.cluster import settings_of

    given = {"ASSAY_OBJECT_STORE": "s3://x", "ASSAY_S3_SECRET_ACCESS_KEY": "x", "HOME": "/root"}
    assert settings_of(given) == {"ASSAY_OBJECT_STORE": "s3://x"}


def test_the_first_process_that_failed_says_why_for_all(tmp_path: Path) -> None:
    from assay_trainer.parallel import meeting

    assert meeting.failure(tmp_path) is None
    meeting.tell_failure(tmp_path, 1, JobFailed("diverged", "step 3", retryable=False))
    found = meeting.failure(tmp_path)
    assert found is not None
    assert (found.error_class, str(found), found.retryable) == ("diverged", "step 3", False)


def test_processes_must_share_out_evenly_over_machines() -> None:
    assert "3 processes" in why_not(Parallelism(data=3), "SFT", adapters=False, nodes=2)
    assert "1 processes" in why_not(Parallelism(), "SFT", adapters=False, nodes=2)
    assert why_not(Parallelism(data=4), "SFT", adapters=False, nodes=2) == ""


@pytest.mark.parametrize("algorithm", ["PPO", "GRPO"])
def test_what_samples_is_spread_as_what_does_not(algorithm: str) -> None:
    for one in DIMENSIONS:
        for other in DIMENSIONS:
            layout = Parallelism(**{one: 2, other: 2})
            assert why_not(layout, algorithm, adapters=False) == why_not(layout, "SFT", adapters=False)
    assert why_not(Parallelism(tensor=2, context=2), algorithm, adapters=False) == ""
    assert "expert goes with" in why_not(Parallelism(expert=2, tensor=2), algorithm, adapters=False)
    assert "pipeline goes with" in why_not(Parallelism(expert=2, pipeline=2), algorithm, adapters=False)


@pytest.mark.parametrize("algorithm", ["PPO", "GRPO"])
def test_an_engine_that_takes_whole_models_is_refused_where_layers_or_experts_lie_apart(algorithm: str) -> None:
    for degrees in ({"expert": 2}, {"pipeline": 2}):
        refused = why_not(Parallelism(**degrees), algorithm, adapters=False, rollout_engine="vllm")
        assert "rollout_engine vllm" in refused
    assert why_not(Parallelism(tensor=2), algorithm, adapters=False, rollout_engine="vllm") == ""


@pytest.mark.parametrize("degrees", [{"expert": 2}, {"pipeline": 2}])
def test_the_engine_that_auto_settled_on_is_refused_too_when_it_takes_whole_models(degrees: dict[str, int]) -> None:
    from assay_trainer.errors import BadInput
    from assay_trainer.parallel.in_step import InStep
    from assay_trainer.parallel.staged import Staged
    from assay_trainer.rollouts.base import EngineSettings

    passing = InStep if "expert" in degrees else Staged
    world = MagicMock(parallelism=Parallelism(**degrees))
    with pytest.raises(BadInput, match="vllm takes whole models"):
        passing(world, MagicMock()).engine("vllm", EngineSettings("", (), 0, 8))

"""Where a job generates with vLLM, its memory is the model in training and the engine beside it."""

from __future__ import annotations

from typing import Any

import pytest
from assay_schemas.cost.engine import CPU_CACHE_GIB, LIBRARY_GIB, SHARE_ALONE, SHARE_BESIDE_TRAINING
from assay_schemas.cost.estimate import JobCost, evaluation_cost, training_cost
from assay_schemas.cost.memory import GIB
from assay_schemas.cost.shape import ModelShape
from assay_schemas.cost.tokens import Length, TokenSample
from assay_schemas.experiments import Hardware
from assay_schemas.jobs import EvalInputs, TrainingInputs
from assay_schemas.parallelism import Parallelism

SHAPE = ModelShape(
    family="llama", layers=2, hidden=512, heads=8, kv_heads=4, head_dim=64, feed_forward=1024, vocabulary=1000
)
SAMPLE = TokenSample(rows=100, sampled_rows=1, lengths=(Length(prompt_tokens=20, tokens=40),), source="bytes_per_token")


def grpo(hardware: Hardware, **hyperparameters: Any) -> JobCost:
    inputs = TrainingInputs(
        algorithm="GRPO",
        engine_version="1",
        model="a" * 64,
        dataset="b" * 64,
        hyperparameters={
            "steps": 2, "batch_size": 8, "group_size": 8, "max_length": 64, "max_completion_length": 64,
            "micro_batch_size": 1, **hyperparameters,
        },
        seed=0,
    )  # fmt: skip
    return training_cost(inputs, SHAPE, SAMPLE, hardware)


def test_on_processors_vllm_holds_its_library_its_copy_and_its_cache() -> None:
    own, beside = (grpo(Hardware(), rollout_engine=name).memory for name in ("transformers", "vllm"))
    assert beside.engine_gib == pytest.approx(SHAPE.parameters * 4 / GIB + CPU_CACHE_GIB + LIBRARY_GIB)
    assert (own.engine_gib, beside.cache_gib) == (0.0, 0.0)
    assert own.cache_gib > 0
    assert beside.total_gib == pytest.approx(own.total_gib - own.cache_gib + beside.engine_gib)


def test_on_a_gpu_vllm_holds_the_share_that_it_is_given() -> None:
    beside = grpo(Hardware(gpus=1, gpu_type="l4"), rollout_engine="vllm").memory
    assert beside.engine_gib == pytest.approx(SHARE_BESIDE_TRAINING * 22)
    assert grpo(Hardware(gpus=1), rollout_engine="vllm").memory.engine_gib == pytest.approx(SHARE_BESIDE_TRAINING * 79)


def test_a_run_that_fits_alone_may_not_fit_beside_the_engine() -> None:
    little = Hardware(memory_gib=1.5)
    assert grpo(little, rollout_engine="transformers").fits
    assert not grpo(little, rollout_engine="vllm").fits


def test_engines_in_processes_of_their_own_are_not_counted() -> None:
    memory = grpo(Hardware(rollout_actors=2), rollout_engine="vllm").memory
    assert (memory.engine_gib, memory.cache_gib) == (0.0, 0.0)


def test_processes_that_sample_share_the_optimizer_s_state_and_nothing_else_of_the_model() -> None:
    alone = grpo(Hardware(), kl_coefficient=0.1).memory
    two = grpo(Hardware(parallelism=Parallelism(data=2)), kl_coefficient=0.1).memory
    assert two.optimizer_gib == pytest.approx(alone.optimizer_gib / 2)
    assert two.cache_gib == pytest.approx(alone.cache_gib / 2)
    assert (two.weights_gib, two.gradients_gib) == (alone.weights_gib, alone.gradients_gib)
    assert two.other_models_gib == alone.other_models_gib > 0


def test_processes_that_read_tokens_together_share_activations_too() -> None:
    alone = grpo(Hardware()).memory
    two = grpo(Hardware(parallelism=Parallelism(context=2))).memory
    assert two.activations_gib == pytest.approx(alone.activations_gib / 2)
    assert two.optimizer_gib == pytest.approx(alone.optimizer_gib / 2)
    assert (two.weights_gib, two.cache_gib, two.logits_gib) == (alone.weights_gib, alone.cache_gib, alone.logits_gib)


def test_an_evaluation_on_vllm_holds_the_engine() -> None:
    inputs = EvalInputs(
        model="a" * 64,
        benchmark="numeric",
        harness_version="lm-eval-0.4.13",
        parameters={},
        dtype="float32",
        engine="vllm",
    )
    here = evaluation_cost(inputs, SHAPE, SAMPLE, Hardware()).memory
    assert here.engine_gib == pytest.approx(SHAPE.parameters * 4 / GIB + CPU_CACHE_GIB + LIBRARY_GIB)
    there = evaluation_cost(inputs, SHAPE, SAMPLE, Hardware(gpus=1, gpu_type="l4")).memory
    assert there.engine_gib == pytest.approx(SHARE_ALONE * 22)

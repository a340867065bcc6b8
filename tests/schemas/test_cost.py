"""The estimate's arithmetic against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from assay_schemas.cost.actual import cost_checks
from assay_schemas.cost.estimate import JobCost, PlanCost, evaluation_cost, plan_cost, training_cost
from assay_schemas.cost.flops import forward_flops, generation_flops, training_flops
from assay_schemas.cost.hardware import START_SECONDS, device_named
from assay_schemas.cost.machine import Piece, machine_of
from assay_schemas.cost.memory import GIB, held_parameters, training_memory
from assay_schemas.cost.parallelism import layout_of
from assay_schemas.cost.shape import ModelShape, shape_of
from assay_schemas.cost.tokens import Length, TokenSample, sequences_of, token_sample
from assay_schemas.experiments import Hardware
from assay_schemas.jobs import EvalInputs, JobError, TrainingInputs, Usage
from assay_schemas.parallelism import Parallelism
from assay_schemas.results import JobEnd
from assay_schemas.specification import read_specification

LLAMA_8B = {
    "model_type": "llama",
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}
MIXTRAL = {
    **LLAMA_8B,
    "model_type": "mixtral",
    "vocab_size": 32000,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
}
QWEN_0_5B = {
    "model_type": "qwen2",
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
GPT2 = {"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
SMALL = ModelShape(family="llama", layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, feed_forward=16, vocabulary=10)
SMALL_N = 2 * (8 * 8 + 2 * 8 * 4 + 8 * 8 + 3 * 8 * 16) + 10 * 8
SAMPLE = TokenSample(
    rows=100,
    sampled_rows=2,
    lengths=(Length(prompt_tokens=4, tokens=8), Length(prompt_tokens=6, tokens=12)),
    source="tokenizer",
)


def shape(config: dict[str, Any]) -> ModelShape:
    found = shape_of(config)
    assert found is not None
    return found


def training(algorithm: str = "SFT", **hyperparameters: Any) -> TrainingInputs:
    return TrainingInputs(
        algorithm=algorithm,  # type: ignore[arg-type]
        engine_version="1",
        model="a" * 64,
        dataset="b" * 64,
        hyperparameters={"steps": 10, "batch_size": 4, "max_length": 64, "validation_share": 0.0, **hyperparameters},
        seed=0,
    )


@pytest.mark.parametrize(
    ("config", "parameters"),
    [(LLAMA_8B, 8_030_261_248), (MIXTRAL, 46_702_792_704), (QWEN_0_5B, 494_032_768), (GPT2, 124_439_808)],
)
def test_parameters_are_those_that_the_models_makers_count(config: dict[str, Any], parameters: int) -> None:
    assert shape(config).parameters == parameters


def test_of_a_mixture_only_the_experts_a_token_passes_are_multiplied() -> None:
    active = shape(MIXTRAL).multiplied_parameters + 32000 * 4096 + shape(MIXTRAL).norm_parameters
    assert active == pytest.approx(12.88e9, rel=1e-3)


def test_an_unknown_architecture_has_no_shape() -> None:
    assert shape_of({"model_type": "mamba", "hidden_size": 8}) is None
    assert shape_of({"model_type": "llama"}) is None


def test_forward_is_two_n_t_and_the_causal_half_of_attention() -> None:
    assert SMALL.multiplied_parameters == SMALL_N
    assert forward_flops(SMALL, [10]) == 2 * SMALL_N * 10 + 2 * 2 * 8 * 100


def test_training_is_three_times_forward_and_four_where_it_is_computed_again() -> None:
    assert training_flops(SMALL, [10, 20]) == 3 * forward_flops(SMALL, [10, 20])
    assert training_flops(SMALL, [10], recomputed=True) == 4 * forward_flops(SMALL, [10])


def test_an_8b_model_on_a_billion_tokens_needs_about_six_n_t() -> None:
    flops = training_flops(shape(LLAMA_8B), [2048] * 1000) * 1e9 / 2_048_000
    assert flops == pytest.approx(6 * 7.5e9 * 1e9, rel=0.05)


def test_adapters_save_the_gradients_of_frozen_weights() -> None:
    adapters = 2 * (2 * (8 + 8) + 2 * (8 + 4) + 3 * (8 + 16))
    assert SMALL.linear_parameters_of_rank_one == adapters
    expected = 4 * SMALL_N * 10 + 3 * 2 * 2 * 8 * 100 + 6 * adapters * 2 * 10
    assert training_flops(SMALL, [10], lora_rank=2) == expected


def test_generating_reads_the_prompt_and_then_a_growing_context() -> None:
    decoding = 2 * SMALL_N * 6 + 4 * 2 * 8 * (6 * 10 + 18)
    assert generation_flops(SMALL, 10, 6) == forward_flops(SMALL, [10]) + decoding


def test_memory_of_full_training_is_sixteen_bytes_a_parameter_and_what_a_pass_holds() -> None:
    memory = training_memory(SMALL, tokens_per_pass=32, targets_per_pass=16)
    n = SMALL.parameters
    assert memory.weights_gib * GIB == pytest.approx(4 * n)
    assert memory.gradients_gib * GIB == pytest.approx(4 * n)
    assert memory.optimizer_gib * GIB == pytest.approx(8 * n)
    assert memory.logits_gib * GIB == pytest.approx(12 * 10 * 16)
    per_token = 6 * 8 + 3 * 8 + 3 * 4 + 4 * 16
    assert memory.activations_gib * GIB == pytest.approx(2 * 32 * per_token * 4)


def test_checkpointing_keeps_inputs_and_one_layer() -> None:
    kept = training_memory(SMALL, tokens_per_pass=32, targets_per_pass=0, checkpointed=True)
    per_token = 6 * 8 + 3 * 8 + 3 * 4 + 4 * 16
    assert kept.activations_gib * GIB == pytest.approx(2 * 8 * 32 * 4 + 32 * per_token * 4)


def test_sharding_divides_what_rests_and_adds_what_is_gathered() -> None:
    alone = training_memory(shape(LLAMA_8B), tokens_per_pass=0, targets_per_pass=0)
    sharded = training_memory(shape(LLAMA_8B), tokens_per_pass=0, targets_per_pass=0, layout=Parallelism(data=8))
    assert sharded.optimizer_gib == pytest.approx(alone.optimizer_gib / 8)
    gathered = 128256 * 4096 * 4 / GIB
    assert sharded.weights_gib == pytest.approx(alone.weights_gib / 8 + gathered, rel=1e-6)


def test_what_rests_in_main_memory_leaves_the_device_what_it_fetches() -> None:
    for dtype, copied in (("float32", 0), ("bfloat16", 2)):
        memory = training_memory(shape(LLAMA_8B), tokens_per_pass=0, targets_per_pass=0, dtype=dtype, offloaded=True)
        assert memory.total_gib * GIB == pytest.approx(128256 * 4096 * (4 + copied), rel=1e-6)


def test_every_dimension_divides_what_one_process_keeps() -> None:
    whole = held_parameters(shape(LLAMA_8B))
    assert held_parameters(shape(LLAMA_8B), Parallelism(data=2, tensor=4)) == pytest.approx(whole / 8)
    assert held_parameters(shape(LLAMA_8B), Parallelism(pipeline=4)) < whole / 3


def test_an_8b_model_trains_in_full_on_eight_h100_and_not_on_one() -> None:
    inputs = training(batch_size=16, max_length=2048, dtype="bfloat16")
    one = training_cost(inputs, shape(LLAMA_8B), SAMPLE, Hardware(gpus=1, gpu_type="h100"))
    eight = training_cost(inputs, shape(LLAMA_8B), SAMPLE, Hardware(gpus=8, gpu_type="NVIDIA-H100-80GB-HBM3"))
    assert (one.fits, eight.fits) == (False, True)
    assert eight.parallelism == Parallelism(data=8)


def test_hours_are_operations_over_the_share_of_the_peak() -> None:
    machine = machine_of(Hardware(gpus=2, gpu_type="h100"), "bfloat16")
    assert machine.seconds(Piece("training", 989e12 * 2 * 0.4)) == pytest.approx(1.0)
    assert machine.seconds(Piece("decode", 1.0, read_bytes=3.35e12 * 2 * 0.6)) == pytest.approx(1.0)


def test_a_supervised_run_costs_its_rows_once_each_step() -> None:
    cost = training_cost(training(), SMALL, SAMPLE, Hardware())
    mean = (training_flops(SMALL, [8]) + training_flops(SMALL, [12])) / 2
    assert cost.flops == pytest.approx(40 * mean)
    assert cost.tokens == pytest.approx(400)
    assert cost.hours * 3600 > START_SECONDS


def test_a_preference_run_reads_two_sides_and_its_reference_once() -> None:
    pairs = SAMPLE.model_copy(update={"rows": 20, "sampled_rows": 1})
    cost = training_cost(training("DPO"), SMALL, pairs, Hardware())
    two = training_flops(SMALL, [8, 12])
    assert cost.flops == pytest.approx(40 * two + 20 * forward_flops(SMALL, [8, 12]))


def test_a_policy_run_generates_reads_and_learns() -> None:
    inputs = training("GRPO", group_size=4, max_completion_length=6, kl_coefficient=0.1, minibatch_epochs=2)
    cost = training_cost(inputs, SMALL, SAMPLE, Hardware())
    samples = 40 * 4
    one = generation_flops(SMALL, 5, 6) + 2 * forward_flops(SMALL, [11]) + 2 * training_flops(SMALL, [11])
    assert cost.flops == pytest.approx(samples * one)


def test_long_rows_are_cut_or_dropped_as_the_run_would() -> None:
    cut = training_cost(training(max_length=8), SMALL, SAMPLE, Hardware())
    assert cut.tokens == pytest.approx(40 * 8)
    dropped = training_cost(training(max_length=8, overlong="drop", steps=None, epochs=1.0), SMALL, SAMPLE, Hardware())
    assert dropped.tokens == pytest.approx(13 * 4 * 8)


def eval_inputs(benchmark: str, **parameters: Any) -> EvalInputs:
    return EvalInputs(benchmark=benchmark, harness_version="lm-eval-0.4.13", parameters=parameters, model="a" * 64)


def test_a_likelihood_eval_reads_and_a_generating_one_decodes() -> None:
    read = evaluation_cost(eval_inputs("perplexity"), SMALL, SAMPLE, Hardware())
    assert read.flops == pytest.approx(100 * forward_flops(SMALL, [10]))
    told = evaluation_cost(eval_inputs("exact_match", max_tokens=6, num_fewshot=1), SMALL, SAMPLE, Hardware())
    assert told.flops == pytest.approx(100 * generation_flops(SMALL, 15, 6))


def test_items_that_are_not_at_hand_are_assumed() -> None:
    assert evaluation_cost(eval_inputs("gsm8k"), SMALL, None, Hardware()).flops > 0


def test_tokens_are_counted_with_a_tokenizer_or_by_bytes_and_the_source_is_said() -> None:
    rows = [{"prompt": "abcd", "completion": "efghijkl"}]
    by_bytes = token_sample(7, rows, None)
    assert (by_bytes.source, by_bytes.lengths[0].tokens, by_bytes.rows) == ("bytes_per_token", 3, 7)
    counted = token_sample(7, rows, lambda texts: [len(text) for text in texts])
    assert (counted.source, counted.lengths[0].prompt_tokens, counted.lengths[0].tokens) == ("tokenizer", 4, 12)


def test_every_row_format_has_its_sequences() -> None:
    assert sequences_of({"text": "a"}) == [("", "a")]
    assert sequences_of({"prompt": "p", "chosen": "c", "rejected": "r"}) == [("p", "c"), ("p", "r")]
    several = {"prompt": "p", "chosen": ["c"], "rejected": ["r", "s"]}
    assert sequences_of(several) == [("p", "c"), ("p", "r"), ("p", "s")]
    assert sequences_of({"prompt": "p", "response_1": "a", "response_2": "b", "scores": [1, 0]}) == [
        ("p", "a"),
        ("p", "b"),
    ]
    assert sequences_of({"question": "q", "choices": ["1", "2"], "answer": 0}) == [("q", "1"), ("q", "2")]
    assert sequences_of({"prompt": "p", "answer": "4"}) == [("p", "4")]
    assert sequences_of({"messages": [{"role": "user", "content": "hi"}]}) == [("", "user\nhi\n")]


def test_a_device_is_known_by_its_names() -> None:
    for name in ("h100", "NVIDIA-H100-80GB-HBM3", "nvidia.com/h100"):
        found = device_named(name)
        assert found is not None
        assert found.name == "h100"
    assert device_named("A100-SXM4-40GB") is not device_named("A100-SXM4-80GB")
    assert device_named("abacus") is None


def test_parallelism_that_is_declared_is_kept() -> None:
    declared = Hardware(gpus=4, parallelism=Parallelism(tensor=4))
    assert layout_of(declared, "SFT", False, SMALL, 10.0, lambda _: 99.0).parallelism == Parallelism(tensor=4)


def test_auto_takes_the_least_communication_that_fits_and_says_why() -> None:
    def memory(layout: Parallelism) -> float:
        return 100.0 / layout.tensor

    choice = layout_of(Hardware(gpus=8), "SFT", False, shape(LLAMA_8B), 60.0, memory)
    assert choice.parallelism == Parallelism(data=4, tensor=2)
    assert "data 8 would not fit" in choice.reason
    assert layout_of(Hardware(gpus=8), "SFT", False, shape(LLAMA_8B), 200.0, memory).parallelism == Parallelism(data=8)
    assert "will probably not fit" in layout_of(Hardware(gpus=8), "SFT", False, shape(LLAMA_8B), 1.0, memory).reason
    assert layout_of(Hardware(), "SFT", False, shape(LLAMA_8B), 1.0, memory).parallelism.processes == 1


def test_auto_knows_what_the_engine_cannot_spread() -> None:
    def memory(layout: Parallelism) -> float:
        return 100.0 / layout.tensor / layout.context

    tuned = layout_of(Hardware(gpus=8), "SFT", True, shape(LLAMA_8B), 60.0, memory)
    assert tuned.parallelism == Parallelism(data=4, context=2)
    sampling = layout_of(Hardware(gpus=8), "PPO", False, shape(LLAMA_8B), 30.0, memory)
    assert sampling.parallelism == Parallelism(data=2, tensor=4)


def test_a_parallelism_that_the_engine_cannot_give_is_a_problem_of_the_specification() -> None:
    document: dict[str, Any] = {
        "base_model": "/m",
        "training": {"algorithm": "SFT", "hyperparameters": {"steps": 2, "lora": {"rank": 2}}},
        "arms": [{"name": "a", "dataset": "/a"}],
        "benchmarks": [{"name": "perplexity", "parameters": {"dataset": "/i"}}],
        "hardware": {"parallelism": {"tensor": 2}},
    }
    found = read_specification(document).problems
    assert [problem.field for problem in found] == ["hardware.parallelism"]
    assert "With lora only data and context" in found[0].message
    document["hardware"] = {"parallelism": {"data": 2}}
    assert read_specification(document).problems == []
    document["hardware"] = {"parallelism": "auto"}
    assert read_specification(document).problems == []


def test_auto_leaves_models_whole_for_an_engine_that_takes_no_other() -> None:
    def memory(layout: Parallelism) -> float:
        return 100.0 / layout.expert / layout.context

    def chosen(engine: str) -> Parallelism:
        return layout_of(Hardware(gpus=8), "GRPO", False, shape(MIXTRAL), 60.0, memory, engine).parallelism

    assert chosen("transformers") == Parallelism(data=4, expert=2)
    assert chosen("vllm") == Parallelism(data=4, context=2)


def test_what_samples_keeps_weights_whole_but_for_layers_and_experts_that_lie_apart() -> None:
    mixture, dense = shape(MIXTRAL), shape(LLAMA_8B)
    whole = held_parameters(mixture, sharded=False)
    assert held_parameters(mixture, Parallelism(data=4, context=2), sharded=False) == whole
    spread = held_parameters(mixture, Parallelism(expert=2), sharded=False)
    assert spread == pytest.approx(whole - mixture.expert_parameters / 2)
    assert held_parameters(dense, Parallelism(pipeline=4), sharded=False) < held_parameters(dense) / 3


def test_auto_spreads_experts_before_matrices() -> None:
    choice = layout_of(Hardware(gpus=8), "SFT", False, shape(MIXTRAL), 60.0, lambda layout: 100.0 / layout.expert)
    assert choice.parallelism == Parallelism(data=4, expert=2)


def end(key: str, kind: str, *, cpu_s: float, reused: bool = False) -> JobEnd:
    usage = Usage(cpu_s=cpu_s, tokens=500, peak_memory_gib=2.0)
    return JobEnd(key=key, kind=kind, outcome="succeeded", attempt=1, reused=reused, usage=usage)  # type: ignore[arg-type]


def costed(jobs: dict[str, JobCost], reused: set[str]) -> PlanCost:
    return plan_cost(jobs, reused, SMALL, {"b" * 64: SAMPLE}, Hardware(), "float32", [])


def test_reused_jobs_cost_nothing_again() -> None:
    one = training_cost(training(), SMALL, SAMPLE, Hardware())
    cost = costed({"1" * 64: one, "2" * 64: one}, {"2" * 64})
    assert cost.device_hours == pytest.approx(one.device_hours)
    assert cost.reused_device_hours == pytest.approx(one.device_hours)
    assert cost.tokens["b" * 64].mean_tokens == 10


def test_the_estimate_is_held_against_jobs_that_ran_and_succeeded() -> None:
    one = training_cost(training(), SMALL, SAMPLE, Hardware())
    cost = costed({"1" * 64: one, "2" * 64: one, "3" * 64: one}, {"2" * 64})
    failed = end("3" * 64, "training", cpu_s=1).model_copy(
        update={"outcome": "failed", "error": JobError.of("x", "y", retryable=False)}
    )
    checks = cost_checks(
        cost, [end("1" * 64, "training", cpu_s=36), end("2" * 64, "training", cpu_s=9, reused=True), failed]
    )
    assert [(check.kind, check.jobs) for check in checks] == [("training", 1)]
    assert checks[0].measured_device_hours == pytest.approx(0.01)
    assert checks[0].hours_ratio == pytest.approx(0.01 / one.device_hours)
    assert cost_checks(None, []) == []

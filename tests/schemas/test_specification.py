"""Reading a specification: every problem at once, each with its field and its mend."""

from __future__ import annotations

import pytest
from assay_schemas.benchmarks import OWN_BENCHMARKS
from assay_schemas.experiments import ExperimentSpec
from assay_schemas.problems import shown
from assay_schemas.resolved import engine_version_of, hyperparameters_of
from assay_schemas.specification import not_yet_available, read_specification

MINIMAL = {
    "base_model": "/models/pilot",
    "training": {"algorithm": "SFT"},
    "arms": [{"name": "a", "dataset": "/data/a.jsonl"}],
    "benchmarks": [{"name": "exact_match", "parameters": {"dataset": "/data/items.jsonl"}}],
}


def fields(document, dataschema="") -> list[str]:
    return [problem.field for problem in read_specification(document, dataschema).problems]


def only_problem(document):
    problems = read_specification(document).problems
    assert len(problems) == 1, problems
    return problems[0]


def with_(**changes):
    return {**MINIMAL, **changes}


def spec_of(document) -> ExperimentSpec:
    spec = read_specification(document).spec
    assert spec is not None
    return spec


def test_the_minimal_document_is_a_specification_with_defaults():
    spec = spec_of(MINIMAL)
    assert (spec.seeds, spec.priority, spec.selection.policy, spec.placebo) == (
        [0, 1, 2],
        "MED",
        "best_validation",
        False,
    )


def test_a_count_of_seeds_stands_for_the_first_seeds():
    assert spec_of(with_(seeds=5)).seeds == [0, 1, 2, 3, 4]


def test_placebo_seeds_follow_the_largest_seed():
    assert spec_of(with_(seeds=[3, 7])).placebo_seeds == [8, 9]


@pytest.mark.parametrize("seeds", [0, -1, 101, [], [0, 0], [-1], "three", True, 1.5, [0, "x"], list(range(101))])
def test_impossible_seeds_are_one_problem_of_seeds(seeds):
    assert fields(with_(seeds=seeds)) == ["seeds"]


@pytest.mark.parametrize(
    ("key", "given", "form"),
    [
        ("seeds", "three", "Write seeds: [0, 1, 2], or a count such as seeds: 3."),
        ("training", "SFT", "Write training: {algorithm: SFT, "),
        ("arms", {"a": "a.jsonl"}, "Write arms: [{name: clean, dataset: clean.jsonl}]."),
        ("arms", [], "Write arms: [{name: clean, dataset: clean.jsonl}]."),
        ("benchmarks", ["gsm8k"], "Write {name: gsm8k}."),
        ("selection", "last", "Write selection: {policy: "),
    ],
)
def test_what_was_given_in_another_form_is_shown_in_the_right_one(key, given, form):
    assert form in "".join(problem.mend for problem in read_specification(with_(**{key: given})).problems)


def test_a_task_that_runs_programs_without_a_sandbox_is_refused_before_anything_is_trained():
    for name in ("humaneval", "mbpp_plus", "humaneval_infilling"):
        problem = only_problem(with_(benchmarks=[{"name": name}]))
        assert problem.field == "benchmarks.0.name"
        assert "`code`" in problem.mend


def test_a_key_in_a_location_is_refused_and_not_repeated():
    for location in ("s3://KEY:hunter2@bucket/a.jsonl", "s3://KEY:hun/ter2@host/a.jsonl"):
        arms = [{"name": "a", "dataset": location}]
        problem = only_problem(with_(arms=arms, base_model="/m"))
        assert problem.field == "arms.0.dataset"
        assert "ter2" not in str(problem)


def test_an_unknown_key_names_the_nearest_known_one():
    problem = only_problem(with_(bencmarks=[]))
    assert (problem.field, problem.mend) == ("bencmarks", "Did you mean 'benchmarks'?")


def test_an_unknown_key_deep_inside_is_named_with_its_path():
    arms = [{"name": "a", "dataset": "/a.jsonl", "interventions": [{"kind": "subsample", "fractoin": 0.5}]}]
    problem = only_problem(with_(arms=arms))
    assert (problem.field, problem.mend) == ("arms.0.interventions.0.fractoin", "Did you mean 'fraction'?")


def test_hyperparameters_are_those_of_the_algorithm():
    training = {"algorithm": "SFT", "hyperparameters": {"group_size": 8, "learning_rate": -1}}
    assert sorted(fields(with_(training=training))) == [
        "training.hyperparameters.group_size",
        "training.hyperparameters.learning_rate",
    ]


def test_steps_and_epochs_together_are_refused():
    problem = only_problem(with_(training={"algorithm": "SFT", "hyperparameters": {"steps": 5, "epochs": 1}}))
    assert "not both" in problem.message


@pytest.mark.parametrize(("steps", "epochs", "wrong"), [(0, 1, "steps"), (5, "many", "epochs"), (-1, -1, "both")])
def test_steps_and_epochs_together_are_refused_also_where_one_of_them_is_wrong_itself(steps, epochs, wrong):
    training = {"algorithm": "SFT", "hyperparameters": {"steps": steps, "epochs": epochs}}
    names = ["steps", "epochs"] if wrong == "both" else [wrong]
    found = read_specification(with_(training=training)).problems
    expected = [*(f"training.hyperparameters.{name}" for name in names), "training.hyperparameters"]
    assert [problem.field for problem in found] == expected
    assert "not both" in found[-1].message


def test_an_arm_lays_its_hyperparameters_over_the_experiments():
    arms = [{"name": "a", "dataset": "/a.jsonl", "training": {"hyperparameters": {"steps": 40}}}]
    spec = spec_of(with_(training={"algorithm": "SFT", "hyperparameters": {"steps": 10, "batch_size": 4}}, arms=arms))
    assert (hyperparameters_of(spec).steps, hyperparameters_of(spec, spec.arms[0]).steps) == (10, 40)
    assert hyperparameters_of(spec, spec.arms[0]).batch_size == 4


def test_a_null_is_a_key_that_is_not_given():
    arms = [{"name": "a", "dataset": "/a.jsonl", "model": None}, {"name": "b", "dataset": None, "model": "/m"}]
    assert spec_of(with_(arms=arms)).arms[1].model == "/m"
    neither = only_problem(with_(arms=[{"name": "a", "dataset": None, "model": None}]))
    assert (neither.field, neither.message) == ("arms.0.dataset", "is required.")


def test_an_arms_epochs_replace_the_experiments_steps():
    arms = [{"name": "a", "dataset": "/a.jsonl", "training": {"hyperparameters": {"epochs": 2}}}]
    spec = spec_of(with_(training={"algorithm": "SFT", "hyperparameters": {"steps": 10}}, arms=arms))
    resolved = hyperparameters_of(spec, spec.arms[0])
    assert (resolved.steps, resolved.epochs) == (None, 2)


def test_a_bad_hyperparameter_of_one_arm_is_named_there():
    arms = [{"name": "a", "dataset": "/a.jsonl", "training": {"hyperparameters": {"steps": 0}, "engine_version": "9"}}]
    assert sorted(fields(with_(arms=arms))) == [
        "arms.0.training.engine_version",
        "arms.0.training.hyperparameters.steps",
    ]


def test_the_engine_version_defaults_to_the_newest():
    assert engine_version_of(spec_of(MINIMAL)) == "1"


@pytest.mark.parametrize(
    "location",
    [
        "../x.jsonl",
        "/data/../etc/passwd",
        "http://example.org/x",
        "s3://127.0.0.1/x",
        "s3://[::1]/x",
        "s3:///x",
        "s3://localhost/x",
        "a\x00b",
    ],
)
def test_a_location_that_climbs_out_or_is_an_address_is_refused(location):
    assert fields(with_(arms=[{"name": "a", "dataset": location}])) == ["arms.0.dataset"]


def test_a_url_as_sink_is_refused_without_repeating_its_secret():
    problem = only_problem(with_(sinks=["https://hooks.example.org/T0/secret"]))
    assert problem.field == "sinks.0"
    assert "secret" not in str(problem)


def test_an_arm_without_data_is_told_what_to_give():
    assert only_problem(with_(arms=[{"name": "a"}])).field == "arms.0.dataset"


def test_a_benchmark_that_needs_items_asks_for_them():
    problem = only_problem(with_(benchmarks=[{"name": "numeric"}]))
    assert problem.field == "benchmarks.0.parameters.dataset"
    assert "prompt + answer" in problem.mend


def test_a_task_of_the_harness_needs_no_file():
    assert fields(with_(benchmarks=[{"name": "gsm8k", "parameters": {"num_fewshot": 5}, "limit": 200}])) == []


def test_the_reading_of_something_that_is_no_mapping_is_a_problem():
    assert fields([1]) == ["(whole document)"]


def test_an_unknown_key_passes_with_a_warning_only_under_a_newer_minor_version():
    document = with_(novelty=1)
    newer = read_specification(document, "experiment.requested/1.9")
    assert newer.spec is not None
    assert newer.warnings == ["novelty is not known to this version and was ignored."]
    for dataschema in ("", "experiment.requested/1.0", "experiment.requested/2.0", "another/1.9", "nonsense"):
        assert fields(document, dataschema) == ["novelty"]


def test_what_is_not_yet_available_is_said_only_of_a_right_specification(monkeypatch):
    monkeypatch.setitem(OWN_BENCHMARKS, "judge", OWN_BENCHMARKS["judge"].model_copy(update={"available": False}))
    judged = {"name": "judge", "parameters": {"dataset": "items.jsonl", "judge": "endpoint:lab/model"}}
    spec = spec_of(with_(benchmarks=[judged]))
    assert [problem.field for problem in not_yet_available(spec)] == ["benchmarks.0.name"]
    assert not_yet_available(spec_of(MINIMAL)) == []


def test_a_reward_model_is_evaluated_by_preference_alone():
    items = {"parameters": {"dataset": "items.jsonl"}}
    named = [{"name": name, **items} for name in ("preference", "exact_match", "perplexity")] + [{"name": "gsm8k"}]
    document = with_(training={"algorithm": "REWARD"}, benchmarks=named)
    assert fields(document) == ["benchmarks.1.name", "benchmarks.2.name", "benchmarks.3.name"]
    assert fields(with_(training={"algorithm": "DPO"}, benchmarks=named)) == []


def test_one_field_has_one_problem():
    found = fields({"training": 3, "arms": "x", "benchmarks": None})
    assert len(found) == len(set(found))
    assert {"base_model", "training", "arms", "benchmarks"} <= set(found)


def test_a_bad_location_of_items_is_shown_with_its_problem():
    problem = only_problem(with_(benchmarks=[{"name": "perplexity", "parameters": {"dataset": "../../etc/passwd"}}]))
    assert "whole path" in problem.message
    assert "'../../etc/passwd'" in problem.mend


def test_a_selection_by_benchmark_names_one_of_the_experiments_benchmarks():
    def chosen(benchmark, **more):
        return fields(with_(selection={"policy": "best_benchmark", "benchmark": benchmark}, **more))

    name = with_()["benchmarks"][0]["name"]
    assert chosen(name) == []
    assert chosen(None) == ["selection.benchmark"]
    assert chosen("another") == ["selection.benchmark"]
    twice = [with_()["benchmarks"][0]] * 2
    assert chosen(f"{name}-2", benchmarks=twice) == []
    assert chosen(f"{name}-3", benchmarks=twice) == ["selection.benchmark"]


def test_a_reference_is_a_model_beside_arms_that_are_trained():
    reference = {"name": "known", "model": "endpoint:lab/large"}
    assert fields(with_(arms=[*MINIMAL["arms"], reference])) == []
    assert fields(with_(arms=[*MINIMAL["arms"], {**reference, "model": "endpoint:lab"}])) == ["arms.1.model"]
    assert fields(with_(arms=[reference])) == ["arms"]


@pytest.mark.parametrize("key", ["", "[", "int", "a.b"])
def test_a_key_without_a_plain_name_is_refused_with_its_field_under_every_version(key):
    document = {**MINIMAL, key: 1, "benchmarks": [{**MINIMAL["benchmarks"][0], key: 1}]}
    for dataschema in ("", "experiment.requested/1.9"):
        reading = read_specification(document, dataschema)
        assert reading.spec is None or reading.warnings
        assert all(problem.field and problem.message for problem in reading.problems)


@pytest.mark.parametrize(
    ("algorithm", "hardware", "refused"),
    [
        ("GRPO", {"rollout_actors": 2}, False),
        ("SFT", {"rollout_actors": 2}, True),
        ("GRPO", {"rollout_actors": 2, "parallelism": {"data": 2}}, True),
        ("GRPO", {"parallelism": {"data": 2}}, False),
        ("PPO", {"parallelism": {"data": 2, "tensor": 2}}, False),
        ("PPO", {"parallelism": {"context": 2}}, False),
        ("PPO", {"parallelism": {"pipeline": 2}}, False),
        ("REWARD", {"parallelism": {"pipeline": 2}}, False),
        ("REWARD", {"parallelism": {"pipeline": 2, "context": 2}}, True),
        ("GRPO", {"parallelism": {"expert": 2}}, False),
        ("GRPO", {"parallelism": {"expert": 2, "tensor": 2}}, True),
        ("SFT", {"nodes": 2, "parallelism": {"data": 3}}, True),
        ("SFT", {"nodes": 2, "parallelism": {"data": 4}}, False),
        ("GRPO", {"gpus": 1, "cpu_offload": True}, True),
        ("DPO", {"gpus": 1, "cpu_offload": True}, False),
    ],
)
def test_what_the_engine_cannot_spread_is_refused(algorithm, hardware, refused):
    document = {**MINIMAL, "hardware": hardware}
    document["training"] = {**MINIMAL["training"], "algorithm": algorithm}
    found = {problem.field for problem in read_specification(document).problems}
    assert bool(found & {"hardware.rollout_actors", "hardware.parallelism", "hardware.cpu_offload"}) == refused


@pytest.mark.parametrize(("engine", "refused"), [("vllm", True), ("transformers", False), ("auto", False)])
def test_layers_lie_apart_only_for_an_engine_that_takes_them_so(engine, refused):
    document = {**MINIMAL, "hardware": {"parallelism": {"pipeline": 2}}}
    document["training"] = {"algorithm": "GRPO", "hyperparameters": {"rollout_engine": engine}}
    found = [problem.message for problem in read_specification(document).problems if "parallelism" in problem.field]
    assert bool(found) == refused


@pytest.mark.parametrize("text", ["x" * 250_000, "a://" * 60_000])
def test_a_value_that_fills_a_request_is_shown_at_once(text):
    assert shown(text) == f"'{text[:76]}…"


def test_a_key_that_nobody_knows_hides_nothing_of_what_is_wrong_beside_it():
    training = {"algorithm": "SFT", "hyperparameters": {"stpes": 3, "steps": 10, "epochs": 2}}
    rows = "/data/a.jsonl"
    arms = [
        {"name": "a", "dataset": rows, "training": {"hyperparameters": {"learning_rate": -1}}},
        {"name": "b", "dataset": rows, "training": {"hyperparameters": {"stpes": 4}}},
        {"name": "c", "dataset": rows, "training": {"hyperparameters": {"batch_size": 4}}},
    ]
    assert sorted(fields(with_(training=training, arms=arms))) == [
        "arms.0.training.hyperparameters.learning_rate",
        "arms.1.training.hyperparameters.stpes",
        "training.hyperparameters",
        "training.hyperparameters.stpes",
    ]

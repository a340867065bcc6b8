"""Planning: which jobs an experiment is, and which of them are the same work."""

from __future__ import annotations

from assay_scheduler.planner import control_selection_key, wanted_jobs
from assay_schemas.artifacts import ModelRef
from assay_schemas.endpoints import endpoint_model
from assay_schemas.jobs import EvalInputs, ItemSplit, SelectionInputs, TrainingInputs, job_key
from assay_schemas.results import Plan
from hypothesis import given
from hypothesis import strategies as st
from scheduler_plans import MODEL, dataset, plan


def of_kind(found: Plan, kind: str) -> list[str]:
    return [job.key for job in found.jobs if job.kind == kind]


def test_each_replicate_is_a_training_a_selection_and_an_eval_a_benchmark() -> None:
    found = plan()
    assert [len(of_kind(found, kind)) for kind in ("training", "selection", "eval")] == [4, 4, 10]
    assert [(one.arm, one.seed) for one in found.replicates] == [
        ("control", None), ("one", 0), ("one", 1), ("two", 0), ("two", 1),
    ]  # fmt: skip


def test_control_is_evaluated_as_it_is_and_never_trained() -> None:
    control = plan().replicates[0]
    assert (control.training, control.selection) == (None, None)
    evals = [job for job in plan().jobs if job.key in control.evals.values()]
    assert all(isinstance(job.inputs, EvalInputs) and job.inputs.model == MODEL.digest for job in evals)
    assert all(job.depends_on == [] for job in evals)
    assert control_selection_key(MODEL) == control_selection_key(MODEL)


def test_the_placebo_is_the_first_arms_data_with_seeds_of_its_own() -> None:
    found = plan(placebo=True)
    placebo = [one for one in found.replicates if one.arm == "placebo"]
    assert [one.seed for one in placebo] == [2, 3]
    arm = next(arm for arm in found.arms if arm.role == "placebo")
    assert arm.dataset == dataset("b")
    assert len(of_kind(found, "training")) == 6


def test_arms_with_the_same_data_share_their_jobs() -> None:
    found = plan({"one": "b", "two": "b"})
    assert len(of_kind(found, "training")) == 2
    assert len(found.replicates) == 5


def test_what_decides_no_result_is_in_no_key() -> None:
    one, other = (
        plan(),
        plan(priority="HIGH", hardware={"cpus": 2}, name="x", owner="y", question="?", sinks=["slack:a"]),
    )
    assert [job.key for job in one.jobs] == [job.key for job in other.jobs]


def test_a_default_written_out_is_the_same_job() -> None:
    written = {"algorithm": "SFT", "engine_version": "1", "hyperparameters": {"steps": 10, "batch_size": 32}}
    assert [job.key for job in plan().jobs] == [job.key for job in plan(training=written).jobs]


def test_keeping_all_checkpoints_is_the_default_and_keeping_some_another_job() -> None:
    def keys(**hyperparameters: object) -> list[str]:
        training = {"algorithm": "SFT", "hyperparameters": {"steps": 10, **hyperparameters}}
        return of_kind(plan(training=training), "training")

    assert keys() == keys(keep_checkpoints=None)
    assert not {*keys()} & {*keys(keep_checkpoints=2)}


def test_an_arms_own_hyperparameters_are_its_own_jobs() -> None:
    arms = [
        {"name": "one", "dataset": "/1"},
        {"name": "two", "dataset": "/1", "training": {"hyperparameters": {"steps": 40}}},
    ]
    found = plan({"one": "b", "two": "b"}, arms=arms)
    steps = {job.inputs.hyperparameters["steps"] for job in found.jobs if isinstance(job.inputs, TrainingInputs)}
    assert steps == {10, 40}


def training_keys(intervention: dict[str, object], algorithm: str = "DPO") -> list[str]:
    training = {"algorithm": algorithm, "hyperparameters": {"steps": 10}}
    arms = [{"name": "one", "dataset": "/1", "interventions": [intervention]}]
    return of_kind(plan({"one": "b"}, training=training, arms=arms), "training")


def test_equal_interventions_are_the_same_job_however_they_were_written() -> None:
    assert training_keys({"kind": "swap_chosen"}) == training_keys({"kind": "swap_chosen", "fraction": 1})
    one, other = ({"kind": "subset", "column": "source", "values": values} for values in (["a", "b"], ["b", "a", "b"]))
    assert training_keys(one) == training_keys(other)


def test_another_intervention_is_another_job() -> None:
    written = [
        {"kind": "swap_chosen"},
        {"kind": "swap_chosen", "fraction": 0.5},
        {"kind": "flip_labels"},
        {"kind": "subset", "column": "source", "values": ["a"]},
        {"kind": "subset", "column": "source", "values": ["b"]},
    ]
    keys = [key for intervention in written for key in training_keys(intervention)]
    assert len(set(keys)) == len(keys) == 2 * len(written)


def test_items_stand_in_an_evals_key_by_their_digest_and_not_by_their_place() -> None:
    moved = [{"name": "exact_match", "parameters": {"dataset": "/elsewhere"}}]
    here = [{"name": "exact_match", "parameters": {"dataset": "/i"}}]
    assert of_kind(plan(benchmarks=moved), "eval") == of_kind(plan(benchmarks=here), "eval")
    inputs = next(job.inputs for job in plan().jobs if isinstance(job.inputs, EvalInputs))
    assert "dataset" not in inputs.parameters
    assert inputs.items == "d" * 64


def test_a_benchmark_used_twice_is_numbered_and_carries_its_effect() -> None:
    benchmarks = [
        {"name": "exact_match", "parameters": {"dataset": "/i"}, "smallest_effect": 0.05},
        {"name": "exact_match", "parameters": {"dataset": "/i", "temperature": 1.0}},
        {"name": "perplexity", "parameters": {"dataset": "/i"}},
    ]
    found = plan(benchmarks=benchmarks).benchmarks
    assert [one.id for one in found] == ["exact_match", "exact_match-2", "perplexity"]
    assert [one.smallest_effect for one in found] == [0.05, 0.02, 0.02]
    assert [one.higher_is_better for one in found] == [True, True, False]
    assert found[2].smallest_effect_is_relative


def test_dependencies_come_before_what_depends_on_them() -> None:
    seen: set[str] = set()
    for job in plan(placebo=True).jobs:
        assert set(job.depends_on) <= seen
        seen.add(job.key)


def test_one_seed_comes_with_a_warning() -> None:
    assert any("seed" in warning for warning in plan(seeds=[0]).warnings)
    assert plan().warnings == []


def test_new_jobs_carry_what_their_requests_need_and_who_asks() -> None:
    wanted = {one.job.key: one for one in wanted_jobs(plan(hardware={"cpus": 2}))}
    trainings = [one for one in wanted.values() if one.job.kind == "training"]
    assert {one.arm for one in trainings} == {"one", "two"}
    assert all(one.job.model == MODEL and one.job.dataset and one.job.hardware.cpus == 2 for one in trainings)
    evals = [one.job for one in wanted.values() if one.job.kind == "eval"]
    assert {job.model for job in evals if not job.depends_on} == {MODEL}
    assert {job.model for job in evals if job.depends_on} == {None}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6, unique=True), st.booleans(), st.integers(1, 3))
def test_every_key_is_the_digest_of_its_inputs_and_every_replicate_is_complete(seeds, placebo, benchmarks) -> None:
    names = ["exact_match", "perplexity", "numeric"][:benchmarks]
    found = plan(
        seeds=seeds,
        placebo=placebo,
        benchmarks=[{"name": name, "parameters": {"dataset": "/i"}} for name in names],
    )
    keys = {job.key for job in found.jobs}
    assert all(job.key == job_key(job.inputs) for job in found.jobs)
    assert all(set(one.evals) == set(names) and set(one.evals.values()) <= keys for one in found.replicates)
    assert len(found.replicates) == 1 + len(seeds) * (3 if placebo else 2)


BY_BENCHMARK = {"policy": "best_benchmark", "benchmark": "exact_match", "share": 0.25}


def test_a_selection_by_benchmark_asks_items_of_the_side_that_no_eval_reports() -> None:
    found = plan(selection=BY_BENCHMARK)
    selections = [job.inputs for job in found.jobs if isinstance(job.inputs, SelectionInputs)]
    evals = [job.inputs for job in found.jobs if isinstance(job.inputs, EvalInputs)]
    assert len(selections) == 4
    for chosen in selections:
        assert chosen.evaluation is not None
        assert chosen.evaluation.split == ItemSplit(share=0.25, side="selection")
        assert (chosen.evaluation.items, chosen.evaluation.model, chosen.benchmark) == ("d" * 64, None, "exact_match")
    # Control's and every other benchmark's too: two benchmarks may be over the same items.
    assert {one.benchmark for one in evals} == {"exact_match", "perplexity"}
    assert all(one.split == ItemSplit(share=0.25, side="reported") for one in evals)
    assert all(one.job.dataset == dataset("d") for one in wanted_jobs(found) if one.job.kind == "selection")


def test_without_a_selection_by_benchmark_every_item_is_reported() -> None:
    assert all(job.inputs.split is None for job in plan().jobs if isinstance(job.inputs, EvalInputs))


def test_a_selection_by_the_second_use_of_a_benchmark_has_its_parameters() -> None:
    benchmarks = [
        {"name": "exact_match", "parameters": {"dataset": "/i"}},
        {"name": "exact_match", "parameters": {"dataset": "/i", "max_tokens": 7}, "limit": 3},
    ]
    found = plan(benchmarks=benchmarks, selection={**BY_BENCHMARK, "benchmark": "exact_match-2"})
    chosen = next(job.inputs for job in found.jobs if isinstance(job.inputs, SelectionInputs))
    assert chosen.evaluation is not None
    assert (chosen.evaluation.parameters["max_tokens"], chosen.evaluation.limit) == (7, 3)


REFERENCES = {
    "arms": [
        {"name": "known", "model": "/other"},
        {"name": "one", "dataset": "/1"},
        {"name": "api", "model": "endpoint:lab/large"},
    ],
    "placebo": True,
}


def test_references_are_evaluated_on_everything_and_never_trained() -> None:
    known, api = ModelRef(uri="memory://x/models/k", digest="e" * 64), endpoint_model("endpoint:lab/large").reference()
    found = plan({"one": "b"}, references={"known": known, "api": api}, **REFERENCES)
    assert {arm.name: arm.role for arm in found.arms} == {
        "control": "control", "known": "reference", "one": "arm", "api": "reference", "placebo": "placebo"
    }  # fmt: skip
    replicates = {one.arm: one for one in found.replicates if one.seed is None}
    assert set(replicates) == {"control", "known", "api"}
    jobs = {one.job.key: one.job for one in wanted_jobs(found)}
    for name, model, engine in (("known", known, "transformers"), ("api", api, "endpoint")):
        evals = [jobs[key] for key in replicates[name].evals.values()]
        assert len(evals) == 2
        assert all(job.model == model and job.depends_on == () for job in evals)
        assert {job.inputs.engine for job in evals} == {engine}
    placebo = next(one for one in found.arms if one.name == "placebo")
    assert placebo.dataset == dataset("b")

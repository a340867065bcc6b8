"""Tasks in lm-eval's YAML, of whoever wrote them: run by lm-eval over a snapshot, with nothing of Python in them."""

from __future__ import annotations

from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from assay_schemas.benchmarks import TaskFileParameters
from pydantic import ValidationError

pytestmark = pytest.mark.real
CHOICES = {
    "task": "sums",
    "dataset_path": "someone/sums",
    "test_split": "test",
    "output_type": "multiple_choice",
    "doc_to_text": "{{prompt}}",
    "doc_to_choice": "choices",
    "doc_to_target": "right",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0},
}
WORDS = {
    "doc_to_text": "{{prompt}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 6, "do_sample": False},
    "filter_list": [
        {
            "name": "first",
            "filter": [{"function": "regex", "regex_pattern": "(.)", "group_select": 0}, {"function": "take_first"}],
        }
    ],
    "metric_list": [{"metric": "exact_match", "aggregation": "mean", "ignore_case": True}],
}


def test_choices_are_scored_as_by_the_own_benchmark_over_the_same_rows(evaluated: Any, sums: Any) -> None:
    rows = [{**row, "right": 0} for row in sums[:8]]
    result, samples = evaluated("harness_task", rows, {"task": CHOICES})
    own, expected = evaluated("multiple_choice", [{**row, "answer": 0} for row in rows])
    by_id = {sample.item_id: sample.score for sample in expected}
    assert {sample.item_id: sample.score for sample in samples} == by_id
    assert result.primary == "acc"
    assert result.metrics["acc"].value == own.metrics["accuracy"].value


def test_the_harness_own_tasks_are_not_looked_up_for_it(
    evaluated: Any, sums: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from assay_evaluator import task_names

    monkeypatch.setattr(task_names, "task_manager", lambda _: pytest.fail("the index of tasks takes 20 s to make"))
    result, _ = evaluated("harness_task", sums[:2], {"task": WORDS})
    assert result.items == 2


def test_filters_and_metrics_are_the_harness_own(evaluated: Any, sums: Any) -> None:
    result, samples = evaluated("harness_task", sums[:4], {"task": WORDS, "num_fewshot": 1})
    assert result.primary == "exact_match,first"
    assert all(sample.extracted == sample.response.lstrip("\n")[:1] for sample in samples if sample.response.strip())
    assert all("Answer:" in sample.prompt and "\n\n" in sample.prompt for sample in samples)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"doc_to_text": "{{ ''.__class__.__mro__ }}"}, "a template cannot be rendered: .*unsafe"),
        ({"doc_to_text": "{{ nothing }}"}, "a template cannot be rendered: 'nothing' is undefined"),
        ({"doc_to_text": "{% if %}"}, "a template cannot be rendered: "),
        ({"metric_list": [{"metric": "rouge"}]}, "'rouge' is no metric that the harness has; use .*exact_match"),
        ({"filter_list": [{"name": "x", "filter": [{"function": "custom"}]}]}, "'custom' is no filter"),
    ],
)
def test_what_cannot_be_run_safely_is_refused(evaluated: Any, sums: Any, change: Any, words: str) -> None:
    with pytest.raises(JobFailed, match=r"parameters\.task: " + words) as caught:
        evaluated("harness_task", sums[:4], {"task": {**WORDS, **change}})
    assert caught.value.error_class == "bad_input"


@pytest.mark.parametrize("key", ["process_results", "process_docs", "doc_to_image", "include", "unsafe_code", "custom"])
def test_keys_that_stand_for_code_or_other_files_are_no_keys(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        TaskFileParameters.model_validate({"task": {**WORDS, key: "utils.x"}})

"""Why a job was or was not reused, in words; and how an experiment ended."""

from __future__ import annotations

from dataclasses import replace

import pytest
from assay_scheduler.outcome import experiment_outcome, single_outcome
from assay_scheduler.reuse import Earlier, assess, nearest_difference
from assay_schemas.jobs import JobError
from assay_schemas.results import JobEnd, Plan
from scheduler_plans import plan as planned
from scheduler_worlds import Story, at, chain


def test_of_several_earlier_jobs_the_nearest_is_named_with_what_differs() -> None:
    training = chain()[0].inputs
    near = training.model_copy(update={"dataset": "e" * 64})
    far = near.model_copy(update={"seed": 7, "model": "f" * 64})
    said = nearest_difference(training, [Earlier(far, "X"), Earlier(near, "Y, arm a")])
    assert said == "never seen before: dataset digest differs from that of Y, arm a"


def test_differences_inside_hyperparameters_are_named_by_their_path() -> None:
    training = chain()[0].inputs.model_copy(update={"hyperparameters": {"steps": 10, "lora": {"rank": 4}}})
    other = training.model_copy(update={"hyperparameters": {"steps": 20, "lora": {"rank": 8}}})
    said = nearest_difference(training, [Earlier(other, "X")])
    assert said == "never seen before: hyperparameters.steps and hyperparameters.lora.rank differ from those of X"


def test_of_many_differences_the_first_are_named_in_a_sentence_that_reads() -> None:
    evaluation = chain()[2].inputs
    changed = {"limit": 3, "engine": "vllm", "items": "d" * 64, "selection": "a" * 64, "benchmark": "other"}
    said = nearest_difference(evaluation, [Earlier(evaluation.model_copy(update=changed), "X")])
    assert said == (
        "never seen before: checkpoint selection (and so the training before it), benchmark, benchmark items' digest "
        "and 2 more inputs differ from those of X"
    )


def test_where_nothing_differs_that_is_said() -> None:
    training = chain()[0].inputs
    assert nearest_difference(training, [Earlier(training, "X")]) == "the same as that of X"


def test_the_first_of_its_kind_is_said_to_be_the_first() -> None:
    evaluation = chain()[2].inputs
    said = nearest_difference(evaluation, [Earlier(chain()[0].inputs, "X")])
    assert said == "never seen before: the first eval job here"


@pytest.mark.parametrize(
    ("status", "reused", "word"),
    [
        ("succeeded", True, "done before"),
        ("running", True, "joined"),
        ("ready", True, "joined"),
        ("cancelling", False, "being cancelled"),
        ("failed", False, "failed before (diverged"),
        ("cancelled", False, "cancelled before"),
        ("skipped", False, "skipped before"),
    ],
)
def test_each_state_of_an_earlier_job_has_its_reason(status: str, reused: bool, word: str) -> None:
    error = JobError.of("diverged", "the loss is not finite", retryable=False)
    found = assess(replace(chain()[0], status=status, attempt=1, error=error, ended_at=at()))
    assert found.reused is reused
    assert word in found.reason


def ends(plan: Plan, *failed: str) -> dict[str, JobEnd]:
    return {
        job.key: JobEnd(key=job.key, kind=job.kind, outcome="failed" if job.key in failed else "succeeded")
        for job in plan.jobs
    }


def test_an_experiment_is_partial_when_something_is_missing_and_failed_without_control_or_any_arm() -> None:
    plan = planned(seeds=[0])
    control, one, two = (list(replicate.evals.values()) for replicate in plan.replicates)
    assert experiment_outcome(plan, ends(plan), cancelled=False) == "succeeded"
    assert experiment_outcome(plan, ends(plan, one[0]), cancelled=False) == "partial"
    assert experiment_outcome(plan, ends(plan, *one), cancelled=False) == "partial"
    assert experiment_outcome(plan, ends(plan, *one, *two), cancelled=False) == "failed"
    assert experiment_outcome(plan, ends(plan, *control), cancelled=False) == "failed"
    assert experiment_outcome(plan, ends(plan, one[0]), cancelled=True) == "cancelled"
    assert experiment_outcome(plan, ends(plan), cancelled=True) == "succeeded"


def test_a_single_job_ends_as_it_ended() -> None:
    story = Story()
    training = chain()[0]
    story.plan("e", [training])
    story.admit(training)
    story.fail(training)
    end = story.world.wants["e", training.key].end
    assert single_outcome([end], cancelled=False) == "failed"
    assert single_outcome([end], cancelled=True) == "cancelled"

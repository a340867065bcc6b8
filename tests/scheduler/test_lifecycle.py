"""The lifecycle's rules, one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from assay_scheduler.lifecycle import UnknownJob, progress_is_wanted
from assay_scheduler.policy import Resources, need_of
from assay_scheduler.states import Admitted, Completed, Experiment, ExperimentCancelled, JobCancelled, LeaseLapsed
from assay_scheduler.store import WorldStore
from assay_schemas.experiments import Hardware
from scheduler_worlds import Story, at, chain


@pytest.fixture
def story() -> Story:
    return Story()


def test_only_what_depends_on_nothing_is_ready_at_first(story: Story) -> None:
    jobs = chain()
    story.plan("e", jobs)
    assert story.status(*jobs) == ["ready", "waiting", "waiting", "waiting"]
    assert story.topics() == []


@pytest.mark.parametrize(("first", "second"), [(3, 2), (2, 3)])
def test_a_job_that_waits_takes_the_least_that_any_who_want_it_ask_for(story: Story, first: int, second: int) -> None:
    """Otherwise it would wait for ever for an owner whose quota is below what another asked for."""
    training, *_ = chain()
    for identity, cpus in (("e", first), ("f", second)):
        story.plan(identity, [replace(job, hardware=Hardware(cpus=cpus, memory_gib=1)) for job in chain()])
    assert story.job(training).hardware.cpus == 2


def test_a_job_at_work_takes_the_least_that_was_asked_for_at_its_next_attempt(story: Story) -> None:
    """By then only those may want it whose quota is below what it began with."""
    training, *_ = chain()
    story.plan("e", [replace(job, hardware=Hardware(cpus=3, memory_gib=1)) for job in chain()])
    story.admit(training)
    story.plan("f", [replace(job, hardware=Hardware(cpus=2, memory_gib=1)) for job in chain()])
    story.fail(training, retryable=True)
    story.admit(training)
    asked = [message.payload.hardware.cpus for message in story.said if message.topic == "training.requested"]
    assert asked == [3, 2]


def test_an_admitted_job_is_asked_for_with_its_first_attempt(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.admit(training)
    (message,) = story.said
    assert (message.topic, message.payload.attempt, message.payload.owner) == ("training.requested", 1, "o")


def test_a_request_belongs_to_an_experiment_that_wants_the_job(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.plan("f", chain())
    story.admit(training)
    story.succeed(training)
    assert [(message.topic, message.correlation) for message in story.said] == [
        ("training.requested", "e"),
        ("selection.requested", "e"),
    ]


def test_a_job_admitted_twice_is_asked_for_once(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.admit(training)
    story.admit(training)
    assert len(story.said) == 1


def test_a_chain_goes_from_training_to_the_experiments_end(story: Story) -> None:
    training, selection, one, two = chain()
    story.plan("e", chain())
    story.admit(training)
    story.succeed(training)
    assert story.topics()[-1] == "selection.requested"
    story.succeed(selection)
    assert story.status(one, two) == ["ready", "ready"]
    assert story.job(one).model.uri == "memory://x/c"
    for job in (one, two):
        story.admit(job)
        story.succeed(job)
    assert story.world.experiments["e"].status == "settling"


def test_an_event_twice_changes_nothing_the_second_time(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.admit(training)
    story.succeed(training)
    world, said = story.world, len(story.said)
    story.succeed(training)
    assert story.world == world
    assert len(story.said) == said
    assert story.notes == ["duplicate_completion"]


def test_a_failure_that_can_be_mended_is_tried_again_after_a_growing_wait(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    waits = []
    for _ in range(2):
        story.admit(training)
        story.fail(training, retryable=True)
        waits.append((story.job(training).not_before - at()).total_seconds())
    assert waits == [5, 10]
    story.admit(training)
    assert story.job(training).attempt == 3
    story.fail(training, retryable=True)
    assert story.status(training) == ["failed"]


def test_a_failure_that_cannot_be_mended_ends_the_job_and_skips_what_depends_on_it(story: Story) -> None:
    training, selection, one, two = chain()
    story.plan("e", chain())
    story.admit(training)
    story.fail(training)
    assert story.status(training, selection, one, two) == ["failed", "skipped", "skipped", "skipped"]
    assert [story.end("e", job) for job in (training, selection, one)] == ["failed", "skipped", "skipped"]
    assert story.world.experiments["e"].status == "settling"


def test_a_failure_of_an_older_attempt_is_ignored_and_counted(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.admit(training)
    story.fail(training, attempt=0)
    assert story.status(training) == ["requested"]
    assert story.notes == ["stale_completion"]


def test_a_success_of_an_older_attempt_is_accepted_and_the_newer_one_is_stopped(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.admit(training)
    story.happens(LeaseLapsed(training.key, 1, at()))
    story.admit(training)
    story.succeed(training, attempt=1)
    assert story.status(training) == ["succeeded"]
    stop = next(message for message in story.said if message.topic == "job.cancel.requested")
    assert stop.payload.attempt == 2


def test_a_lost_lease_has_a_budget_of_its_own(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    for attempt in range(1, 4):
        story.admit(training)
        story.happens(LeaseLapsed(training.key, attempt, at()))
        assert story.status(training) == ["ready"]
    assert (story.job(training).failures, story.job(training).lost) == (0, 3)
    story.admit(training)
    story.happens(LeaseLapsed(training.key, 4, at()))
    assert story.status(training) == ["failed"]
    assert story.job(training).error.class_ == "lost"


def test_a_lease_of_an_older_attempt_lapses_without_effect(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.admit(training)
    story.happens(LeaseLapsed(training.key, 1, at()))
    story.admit(training)
    story.happens(LeaseLapsed(training.key, 1, at()))
    assert story.status(training) == ["requested"]


def test_a_job_that_was_planned_anew_with_another_need_is_not_admitted_by_what_it_needed_before(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.happens(Admitted(training.key, at(), Resources(cpus=99)))
    assert story.status(training) == ["ready"]
    story.happens(Admitted(training.key, at(), need_of("training", story.job(training).hardware)))
    assert story.status(training) == ["requested"]


def test_an_attempt_that_was_heard_of_while_its_lapse_was_on_the_way_keeps_its_lease(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", chain())
    story.admit(training)
    heard = replace(story.job(training), status="running", heartbeat_at=at(90))
    story.world = replace(story.world, jobs={**story.world.jobs, training.key: heard})
    lease = timedelta(seconds=60)
    story.happens(LeaseLapsed(training.key, 1, at(100), lease, lease))
    assert (story.status(training), story.job(training).attempt) == (["running"], 1)
    story.happens(LeaseLapsed(training.key, 1, at(151), lease, lease))
    assert story.status(training) == ["ready"]


def test_the_completion_of_a_job_nobody_asked_for_is_impossible(story: Story) -> None:
    with pytest.raises(UnknownJob, match="nobody asked for it"):
        story.happens(Completed("f" * 64, 1, "succeeded", at()))


def test_a_second_experiment_reuses_what_is_done_and_joins_what_runs(story: Story) -> None:
    training, selection, _one, _two = chain()
    story.plan("e", chain())
    story.admit(training)
    story.succeed(training)
    story.plan("f", chain())
    wants = {key: want for (identity, key), want in story.world.wants.items() if identity == "f"}
    assert wants[training.key].end.reused
    assert wants[selection.key].reused
    assert "joined" in wants[selection.key].reason
    asked = story.topics().count("selection.requested")
    story.succeed(selection)
    assert asked == 1
    assert (story.end("e", selection), story.end("f", selection)) == ("succeeded", "succeeded")


def test_an_experiment_whose_jobs_are_all_done_ends_at_once(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", [training])
    story.admit(training)
    story.succeed(training)
    story.plan("f", [training])
    assert story.world.experiments["f"].status == "settling"


def test_a_job_that_failed_before_is_tried_again_for_a_new_experiment(story: Story) -> None:
    training, *rest = chain()
    story.plan("e", chain())
    story.admit(training)
    story.fail(training)
    story.plan("f", chain())
    assert story.status(training, *rest) == ["ready", "waiting", "waiting", "waiting"]
    assert "failed before" in story.world.wants["f", training.key].reason
    story.admit(training)
    assert story.job(training).attempt == 2
    assert story.end("e", training) == "failed"


def test_a_job_has_the_highest_priority_among_those_who_want_it(story: Story) -> None:
    training, *_ = chain()
    story.plan("low", chain(), "LOW")
    story.plan("high", chain(), "HIGH")
    assert story.job(training).priority == "HIGH"
    story.happens(ExperimentCancelled("high", at()))
    assert story.job(training).priority == "LOW"


def test_a_cancel_stops_what_nobody_else_wants_and_nothing_else(story: Story) -> None:
    shared, own = chain(0)[0], chain(1)[0]
    story.plan("e", [shared, own])
    story.plan("f", [shared])
    story.admit(shared)
    story.admit(own)
    story.happens(ExperimentCancelled("e", at()))
    assert story.status(shared, own) == ["requested", "cancelling"]
    stops = [message.payload.job_key for message in story.said if message.topic == "job.cancel.requested"]
    assert stops == [own.key]
    assert story.world.experiments["e"].status == "settling"


def test_a_cancelled_job_ends_when_its_attempt_says_so(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", [training])
    story.admit(training)
    story.happens(ExperimentCancelled("e", at()))
    story.happens(Completed(training.key, 1, "cancelled", at()))
    assert story.status(training) == ["cancelled"]


def test_what_a_cancel_stops_is_told_with_its_attempt_so_that_its_price_is_known(story: Story) -> None:
    shared, own, waiting = chain(0)[0], chain(1)[0], chain(2)[0]
    story.plan("e", [shared, own, waiting])
    story.plan("f", [shared])
    story.admit(shared)
    story.admit(own)
    story.happens(ExperimentCancelled("e", at()))
    ends = [story.world.wants["e", job.key].end for job in (shared, own, waiting)]
    assert [end.attempt for end in ends if end] == [None, 1, None]


def test_a_success_that_came_before_the_cancel_took_effect_is_kept(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", [training])
    story.admit(training)
    story.happens(ExperimentCancelled("e", at()))
    story.succeed(training)
    assert story.status(training) == ["succeeded"]
    assert story.end("e", training) == "cancelled"


def test_asking_for_a_job_being_cancelled_gets_its_next_attempt(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", [training])
    story.admit(training)
    story.happens(ExperimentCancelled("e", at()))
    story.plan("f", [training])
    story.admit(training)
    assert story.job(training).attempt == 2
    story.happens(Completed(training.key, 1, "cancelled", at()))
    assert story.status(training) == ["requested"]


def test_a_cancel_before_the_plan_launches_nothing(story: Story) -> None:
    training, *_ = chain()
    story.world.experiments["e"] = Experiment("e")
    story.happens(ExperimentCancelled("e", at()))
    story.plan("e", chain())
    assert story.status(training) == ["cancelled"]
    assert story.end("e", training) == "cancelled"
    assert story.said == []
    assert story.world.experiments["e"].status == "settling"


def test_a_cancel_after_the_end_changes_nothing(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", [training])
    story.admit(training)
    story.succeed(training)
    story.happens(ExperimentCancelled("e", at()))
    assert not story.world.experiments["e"].cancelled


def test_a_person_who_cancels_a_job_ends_it_for_all_who_want_it(story: Story) -> None:
    training, selection, *_ = chain()
    story.plan("e", chain())
    story.plan("f", chain())
    story.admit(training)
    story.happens(JobCancelled(training.key, at()))
    assert story.status(training, selection) == ["cancelling", "skipped"]
    assert {story.end(identity, training) for identity in "ef"} == {"cancelled"}
    assert {story.end(identity, selection) for identity in "ef"} == {"skipped"}


def test_a_cancelled_completion_nobody_asked_for_counts_as_lost(story: Story) -> None:
    training, *_ = chain()
    story.plan("e", [training])
    story.admit(training)
    story.happens(Completed(training.key, 1, "cancelled", at()))
    assert story.status(training) == ["ready"]
    assert story.job(training).lost == 1


def test_signs_of_life_are_heeded_ignored_or_answered(story: Story) -> None:
    training, *_ = chain()
    assert progress_is_wanted(None, 1) == "stop"
    story.plan("e", [training])
    story.admit(training)
    assert progress_is_wanted(story.job(training), 1) == "heed"
    assert progress_is_wanted(story.job(training), 0) == "stop"
    story.succeed(training)
    assert progress_is_wanted(story.job(training), 1) == "ignore"


def test_a_second_plan_for_an_experiment_changes_nothing_and_says_so(story: Story) -> None:
    story.plan("e", chain())
    before = story.world
    story.plan("e", chain())
    assert story.world == before
    assert story.notes == ["planned_before"]


def test_an_attempt_that_is_being_stopped_when_its_job_is_asked_for_again_counts_as_stopped() -> None:
    story, jobs = Story(), chain(evals=1)
    story.plan("first", jobs)
    story.admit(jobs[0])
    story.happens(ExperimentCancelled("first", at(1)))
    before = story.world
    story.plan("second", jobs)
    ended, _ = WorldStore(None, Resources())._attempts(before, story.world, [story.job(jobs[0])])
    assert [(end["attempt"], end["outcome"], end["error"]) for end in ended] == [(1, "cancelled", None)]

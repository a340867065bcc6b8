"""What a run's objects on the cluster mean, and the status that comes of it."""

from typing import Any

import pytest
from assay_chassis.compute import Cause, JobRun, RunState
from assay_chassis.compute.kubernetes.judging import end_record, last_word, status_of
from assay_chassis.compute.kubernetes.seeing import Failure, Place, Seen, see
from assay_chassis.compute.kubernetes.stored import Stored

RUN = JobRun(kind="training", job_key="0123456789abcdef", attempt=1, entrypoint="a.b:c")
KEEPER, WORKING = {"pid": 7, "at": 100.0}, {"pid": 8, "at": 101.0}
RECORDS = {"keeper": KEEPER, "job": WORKING, "pod": "uid-1", "heartbeat": 102.0}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def job(*conditions: dict[str, str], suspend: bool = False) -> dict[str, Any]:
    return {"metadata": {"name": "j"}, "spec": {"suspend": suspend}, "status": {"conditions": list(conditions)}}


def workload(*conditions: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "w"}, "spec": {"queueName": "q", **spec}, "status": {"conditions": list(conditions)}}


def pod(phase: str = "Pending", uid: str = "uid-1", state: dict[str, Any] | None = None, **status: Any) -> Any:
    containers = [{"image": "trainer:1", "state": state}] if state else []
    return {
        "metadata": {"name": f"pod-{uid}", "uid": uid, "creationTimestamp": f"2026-01-01T00:00:0{uid[-1]}Z"},
        "status": {"phase": phase, "containerStatuses": containers, **status},
    }


def test_a_suspended_job_waits_and_says_for_what() -> None:
    pending = condition("QuotaReserved", "False", "Pending", "insufficient unused quota for cpu")
    seen = see(job(suspend=True), workload(pending), [])
    assert seen == Seen(Place.WAITING, "waits in queue q: insufficient unused quota for cpu")
    assert "Kueue's controller runs" in str(see(job(suspend=True), None, []).waits_for)


def test_a_preempted_job_says_that_it_made_room() -> None:
    evicted = condition("Evicted", "True", "Preempted", "to make room")
    seen = see(job(suspend=True), workload(evicted, condition("QuotaReserved", "False", "", "no quota")), [])
    assert (
        seen.waits_for == "made room for work that goes first; it waits in queue q to go on from where it was: no quota"
    )


def test_another_eviction_says_why() -> None:
    evicted = condition("Evicted", "True", "ClusterQueueStopped", "stopped")
    words = see(job(suspend=True), workload(evicted), []).waits_for
    assert str(words).startswith("was evicted (ClusterQueueStopped: stopped); it waits in queue q")


def test_a_deactivated_workload_is_the_end_with_a_word_on_what_to_do() -> None:
    evicted = condition("Evicted", "True", "Deactivated", "The workload is deactivated")
    failure = see(job(suspend=True), workload(evicted, active=False), []).failure
    assert failure is not None
    assert failure.class_ == "deactivated"
    assert "w was deactivated in Kueue (Deactivated: The workload is deactivated); ask for the job again" in (
        failure.message
    )


def test_a_pod_without_a_node_says_why() -> None:
    unscheduled = pod(conditions=[condition("PodScheduled", "False", "Unschedulable", "0/3 nodes: no GPU")])
    seen = see(job(), None, [unscheduled])
    assert seen.place is Place.STARTING
    assert seen.waits_for == (
        "let in by Kueue, and no node takes it: 0/3 nodes: no GPU; add such a node, or ask for less hardware"
    )


@pytest.mark.parametrize(
    ("reason", "class_", "words"),
    [
        ("ImagePullBackOff", "image", "its image trainer:1 cannot be pulled (ImagePullBackOff): no such tag; correct"),
        ("CreateContainerConfigError", "pod", "its pod cannot start (CreateContainerConfigError): no such tag; create"),
    ],
)
def test_what_keeps_a_pod_from_starting_is_said(reason: str, class_: str, words: str) -> None:
    seen = see(job(), None, [pod(state={"waiting": {"reason": reason, "message": "no such tag"}})])
    assert seen.blocked is not None
    assert seen.blocked.class_ == class_
    assert seen.blocked.message.startswith(words)


def test_a_pod_that_pulls_its_image_is_not_blocked() -> None:
    seen = see(job(), None, [pod(state={"waiting": {"reason": "ContainerCreating"}})])
    assert (seen.place, seen.blocked) == (Place.STARTING, None)


def test_a_deleted_job_still_runs_while_its_pod_ends() -> None:
    assert see(None, None, [pod("Running")]).place is Place.RUNNING
    assert see(None, None, [pod("Failed")]).place is Place.ABSENT
    assert see(None, None, []).place is Place.ABSENT


def test_the_newest_living_pod_counts() -> None:
    seen = see(job(), None, [pod("Running", "uid-2"), pod("Failed", "uid-3"), pod("Running", "uid-1")])
    assert seen.pod == "uid-2"


@pytest.mark.parametrize(
    ("reason", "state", "cause"),
    [
        ("DeadlineExceeded", None, Cause.TIMEOUT),
        ("BackoffLimitExceeded", {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, Cause.OUT_OF_MEMORY),
        ("BackoffLimitExceeded", {"terminated": {"exitCode": 137, "reason": "Error"}}, Cause.KILLED),
        ("BackoffLimitExceeded", {"terminated": {"exitCode": 1, "message": "a\nno such object"}}, Cause.ERROR),
        ("BackoffLimitExceeded", None, Cause.KILLED),
    ],
)
def test_a_job_that_failed_without_a_record_has_a_cause(reason: str, state: Any, cause: Cause) -> None:
    seen = see(job(condition("Failed", reason=reason)), None, [pod("Failed", state=state)])
    assert seen.place is Place.ENDED
    assert seen.failure is not None
    assert seen.failure.cause is cause


def test_the_last_line_of_a_pod_that_could_not_begin_is_the_reason() -> None:
    ended = pod("Failed", state={"terminated": {"exitCode": 1, "message": "Traceback\nno such object"}})
    failure = see(job(condition("Failed", reason="BackoffLimitExceeded")), None, [ended]).failure
    assert failure == Failure(
        "pod", "its pod exited with code 1 and left no record: no such object", Cause.ERROR, retryable=True
    )


@pytest.mark.parametrize(
    ("records", "seen", "state"),
    [
        ({}, Seen(Place.WAITING, "waits"), RunState.QUEUED),
        ({}, Seen(Place.STARTING, "starts"), RunState.STARTING),
        ({}, Seen(Place.RUNNING, pod="uid-1"), RunState.STARTING),
        ({"keeper": KEEPER, "pod": "uid-1"}, Seen(Place.RUNNING, pod="uid-1"), RunState.STARTING),
        (RECORDS, Seen(Place.RUNNING, pod="uid-1"), RunState.RUNNING),
        (RECORDS, Seen(Place.WAITING, "made room"), RunState.QUEUED),
        (RECORDS, Seen(Place.RUNNING, pod="uid-2"), RunState.STARTING),
        ({**RECORDS, "outcome": {}}, Seen(Place.RUNNING, pod="uid-1"), RunState.RUNNING),
        ({**RECORDS, "outcome": {}}, Seen(Place.ENDED), RunState.SUCCEEDED),
        ({**RECORDS, "end": {"cause": "error", "reason": "x", "at": 1.0}}, Seen(Place.RUNNING), RunState.FAILED),
        ({**RECORDS, "end": {"cause": "cancelled", "reason": "x", "at": 1.0}}, Seen(Place.ABSENT), RunState.CANCELLED),
    ],
)
def test_the_status_is_what_store_and_cluster_say_together(records: Any, seen: Seen, state: RunState) -> None:
    status = status_of(Stored(RUN, submitted=True, records=records), seen)
    assert status.state is state
    assert status.reason == (seen.waits_for if not state.ended else status.reason)


def test_a_cancelled_run_without_a_job_is_cancelled_and_one_being_submitted_is_queued() -> None:
    absent = Seen(Place.ABSENT)
    assert status_of(Stored(RUN, submitted=True, cancel_asked=True), absent).state is RunState.CANCELLED
    assert status_of(Stored(RUN, cancel_asked=True), absent).state is RunState.CANCELLED
    assert status_of(Stored(RUN), absent).state is RunState.QUEUED


def test_a_job_that_vanished_gets_a_last_word_that_a_retry_can_help() -> None:
    stored = Stored(RUN, submitted=True, records=RECORDS)
    failure = last_word(stored, Seen(Place.ABSENT))
    assert failure is not None
    ended = Stored(RUN, submitted=True, records=RECORDS, end=end_record(failure, 200.0))
    status = status_of(ended, Seen(Place.ABSENT))
    assert (status.cause, status.retryable) == (Cause.LOST, True)
    assert "deleted by someone else, or with its namespace" in str(status.reason)


def test_what_the_pod_said_last_needs_no_word_of_the_service() -> None:
    ended = {**RECORDS, "end": {"cause": "error", "reason": "x", "at": 1.0}}
    assert last_word(Stored(RUN, submitted=True, records=ended), Seen(Place.ENDED, failure=Failure("x", "y"))) is None
    assert last_word(Stored(RUN, submitted=True, cancel_asked=True), Seen(Place.ABSENT)) is None
    assert last_word(Stored(RUN), Seen(Place.ABSENT)) is None


def test_a_failure_of_the_cluster_has_a_class_that_people_can_search_for() -> None:
    stored = Stored(RUN, submitted=True, end=end_record(Failure("image", "cannot be pulled"), 5.0))
    status = status_of(stored, Seen(Place.ABSENT))
    assert (status.state, status.error_class, status.retryable) == (RunState.FAILED, "image", False)
    assert status.reason == "cannot be pulled"

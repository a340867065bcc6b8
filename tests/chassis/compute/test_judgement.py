"""What a run's records mean, in every order that processes may leave them in."""

from dataclasses import replace
from typing import Any

import pytest
from assay_chassis.compute import Cause, RunState
from assay_chassis.compute.folder import Records
from assay_chassis.compute.judgement import judge
from contract_bench import make_run

SUBMITTED = Records(run=make_run())
CLAIMED = replace(SUBMITTED, keeper={"pid": 7, "at": 100.0}, keeper_alive=True, heartbeat=101.0)
RUNNING = replace(CLAIMED, job={"pid": 8, "at": 102.0})
ABANDONED = replace(RUNNING, keeper_alive=False, log_tail="last words")


def end(cause: Cause, reason: str = "said so", code: int | None = 1) -> dict[str, Any]:
    return {"cause": cause, "reason": reason, "exit_code": code, "at": 200.0}


@pytest.mark.parametrize(
    ("records", "state", "cause"),
    [
        (SUBMITTED, RunState.QUEUED, None),
        (replace(SUBMITTED, cancel_asked=True), RunState.CANCELLED, Cause.CANCELLED),
        (CLAIMED, RunState.STARTING, None),
        (RUNNING, RunState.RUNNING, None),
        (replace(RUNNING, cancel_asked=True), RunState.RUNNING, None),
        (replace(RUNNING, outcome={}), RunState.RUNNING, None),
        (ABANDONED, RunState.LOST, Cause.LOST),
        (replace(ABANDONED, cancel_asked=True), RunState.CANCELLED, Cause.CANCELLED),
        (replace(ABANDONED, outcome={}), RunState.SUCCEEDED, None),
        (replace(ABANDONED, outcome={}, end=end(Cause.TIMEOUT)), RunState.SUCCEEDED, None),
        (replace(ABANDONED, end=end(Cause.TIMEOUT)), RunState.FAILED, Cause.TIMEOUT),
        (replace(ABANDONED, end=end(Cause.CANCELLED)), RunState.CANCELLED, Cause.CANCELLED),
        (replace(RUNNING, end=end(Cause.ERROR)), RunState.FAILED, Cause.ERROR),
    ],
)
def test_the_records_mean(records: Records, state: RunState, cause: Cause | None) -> None:
    status = judge(records)
    assert (status.state, status.cause) == (state, cause)
    assert status.state.ended == (state in (RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.LOST))


def test_the_log_ends_a_failure_and_not_a_success() -> None:
    assert judge(replace(ABANDONED, end=end(Cause.ERROR))).log_tail == "last words"
    assert judge(replace(ABANDONED, outcome={})).log_tail == ""


def test_an_outcome_is_shown_once_the_run_has_ended() -> None:
    assert judge(replace(RUNNING, outcome={"a": 1})).outcome is None
    assert judge(replace(ABANDONED, outcome={"a": 1})).outcome == {"a": 1}


def test_a_kill_for_time_is_not_blamed_on_an_exception_it_caused() -> None:
    failure = {"class": "builtins.OSError", "message": "OSError: interrupted", "retryable": None}
    status = judge(replace(ABANDONED, end=end(Cause.TIMEOUT, "ran past its deadline"), failure=failure))
    assert (status.cause, status.reason) == (Cause.TIMEOUT, "ran past its deadline")


def test_times_are_in_utc_and_the_start_is_the_jobs_own() -> None:
    status = judge(RUNNING)
    assert str(status.started_at) == "1970-01-01 00:01:42+00:00"
    assert str(status.heartbeat_at) == "1970-01-01 00:01:41+00:00"
    assert status.pid == 8

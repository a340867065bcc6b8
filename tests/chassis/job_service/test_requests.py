"""A request becomes one run, whatever comes twice, late or wrong."""

from __future__ import annotations

import pytest
from assay_chassis.compute.base import Cause, RunState
from assay_chassis.errors import Refused
from assay_schemas.jobs import TrainingRequest
from job_ground import INPUTS, KEY, Ground, cancel_event, request_event


async def test_a_request_becomes_a_run_with_its_payload_hardware_and_deadline(ground: Ground) -> None:
    await ground.ask(hardware={"cpus": 1.5, "memory_gib": 2, "gpus": 1})
    [status] = ground.backend.statuses.values()
    assert status.run.resources.cpus == 2
    assert status.run.resources.memory_gib == 2
    assert status.run.resources.gpus == 1
    assert status.run.deadline_s == 60
    assert TrainingRequest.model_validate(status.run.payload).inputs == INPUTS


async def test_asking_twice_is_asking_once(ground: Ground) -> None:
    await ground.ask()
    await ground.ask()
    assert len(ground.backend.submitted) == 1


async def test_a_request_that_contradicts_its_key_is_refused(ground: Ground) -> None:
    with pytest.raises(Refused, match=r"job_key"):
        await ground.ask(job_key="f" * 64)


async def test_a_request_that_cannot_be_read_is_refused(ground: Ground) -> None:
    with pytest.raises(Refused, match="inputs"):
        await ground.ask(inputs=None)


async def test_a_refused_request_that_names_its_attempt_fails_it_with_the_problems(ground: Ground) -> None:
    for _ in range(2):
        with pytest.raises(Refused):
            await ground.ask(inputs=None, deadline_s=-1)
    [completion] = ground.completions
    assert (completion["job_key"], completion["attempt"], completion["outcome"]) == (KEY, 1, "failed")
    error = completion["error"]
    assert (error["class"], error["retryable"]) == ("bad_input", False)
    assert "inputs: " in error["message"]
    assert "deadline_s: " in error["message"]


@pytest.mark.parametrize("unnamed", [{"job_key": "no key"}, {"attempt": 0}, {"attempt": "first"}, {"attempt": None}])
async def test_a_refused_request_that_names_no_attempt_ends_nothing(ground: Ground, unnamed: dict) -> None:
    given = request_event()
    with pytest.raises(Refused):
        await ground.service.requested(given.model_copy(update={"data": {**given.data, **unnamed}}))
    assert ground.publisher.events == []


async def test_a_refused_request_leaves_an_attempt_that_runs_alone(ground: Ground) -> None:
    await ground.ask()
    with pytest.raises(Refused):
        await ground.ask(inputs=None)
    assert ground.completions == []


async def test_impossible_hardware_fails_the_job_for_good(ground: Ground) -> None:
    ground.backend.impossible = True
    await ground.ask()
    [completion] = ground.completions
    assert completion["outcome"] == "failed"
    assert completion["error"]["class"] == "bad_input"
    assert not completion["error"]["retryable"]
    assert "hardware.nodes" in completion["error"]["message"]


async def test_a_new_attempt_stops_the_older_one(ground: Ground) -> None:
    await ground.ask(1)
    await ground.ask(2)
    assert ground.backend.cancelled == [f"training-{KEY[:16]}-1"]
    assert len(ground.backend.submitted) == 2


async def test_an_attempt_older_than_a_known_one_is_ignored(ground: Ground) -> None:
    await ground.ask(2)
    await ground.ask(1)
    assert ground.backend.submitted == [f"training-{KEY[:16]}-2"]


async def test_a_job_done_by_an_earlier_attempt_is_complete_at_once(ground: Ground) -> None:
    reference = await ground.succeed(1)
    await ground.ask(3)
    [completion] = ground.completions
    assert (completion["attempt"], completion["outcome"]) == (3, "succeeded")
    assert completion["result"]["sha256"] == reference.sha256
    assert not ground.backend.submitted


async def test_a_request_that_comes_again_after_its_end_gets_the_same_completion(ground: Ground) -> None:
    await ground.ask()
    ground.backend.end(1, RunState.FAILED, cause=Cause.KILLED, reason="killed by signal 9")
    await ground.service.monitor.sweep()
    await ground.start().requested(request_event())
    first, second = ground.completions
    assert first == second
    assert len({event.id for event in ground.publisher.events if event.type == "training.completed"}) == 1
    assert len(ground.backend.submitted) == 1


async def test_neither_request_nor_cancel_nor_refusal_looks_at_the_runs_of_other_jobs(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def list_all() -> None:
        raise AssertionError("every run was looked at")

    monkeypatch.setattr(ground.backend, "list", list_all)
    await ground.ask()
    await ground.ask(attempt=2)
    assert ground.backend.cancelled == [f"training-{KEY[:16]}-1"]
    with pytest.raises(Refused):
        await ground.ask(attempt=3, inputs=None)
    await ground.service.cancel_requested(cancel_event(attempt=2))
    assert len(ground.backend.submitted) == 2

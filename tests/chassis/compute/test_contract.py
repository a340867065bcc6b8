"""What every compute backend must do, run against each of them."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from assay_chassis.compute import (
    Cause,
    Resources,
    ResourcesUnavailable,
    RunState,
    RunStillActive,
    RunUnknown,
)
from contract_bench import KEY, Bench, make_run, submit_and_wait, wait_for, wait_for_end, wait_until_running


async def test_a_job_gets_its_payload_and_its_outcome_comes_back(bench: Bench) -> None:
    run = make_run(payload={"seed": 3})
    status = await submit_and_wait(await bench.open(), run)
    assert status.state is RunState.SUCCEEDED
    assert status.outcome == {"echo": {"seed": 3}, "attempt": 1}
    assert status.run == run
    assert status.started_at is not None
    assert status.ended_at is not None
    assert status.started_at <= status.ended_at


async def test_submitting_twice_is_submitting_once_also_after_the_end(bench: Bench, tmp_path) -> None:
    backend, run = await bench.open(), make_run("count_calls", payload={"counter": str(tmp_path / "counter")})
    await asyncio.gather(backend.submit(run), backend.submit(run))
    await wait_for_end(backend, run)
    await backend.submit(run)
    await (await bench.open()).submit(run)
    await asyncio.sleep(0.5)
    assert (tmp_path / "counter").read_text() == "called\n"


async def test_an_exception_is_a_failure_with_its_class_and_words(bench: Bench) -> None:
    status = await submit_and_wait(await bench.open(), make_run("raise_error"))
    assert (status.state, status.cause) == (RunState.FAILED, Cause.ERROR)
    assert status.exit_code == 1
    assert status.error_class == "builtins.ValueError"
    assert status.reason == "ValueError: the learning rate is not a number"
    assert status.retryable is None


async def test_an_exception_may_name_its_class_itself(bench: Bench) -> None:
    status = await submit_and_wait(await bench.open(), make_run("diverge"))
    assert (status.error_class, status.reason) == ("diverged", "the loss is not a number")


async def test_an_exception_may_say_that_a_retry_can_help(bench: Bench) -> None:
    status = await submit_and_wait(await bench.open(), make_run("raise_retryable"))
    assert status.retryable is True


async def test_returning_without_an_outcome_is_a_failure(bench: Bench) -> None:
    status = await submit_and_wait(await bench.open(), make_run("return_without_outcome"))
    assert (status.state, status.cause) == (RunState.FAILED, Cause.ERROR)
    assert status.reason == "exited with code 0 and left no outcome"


async def test_an_entrypoint_that_does_not_exist_is_a_failure(bench: Bench) -> None:
    status = await submit_and_wait(await bench.open(), make_run("no_such_function"))
    assert status.error_class == "assay_chassis.compute.errors.EntrypointInvalid"


async def test_progress_is_the_last_record_with_a_growing_sequence(bench: Bench) -> None:
    backend, run = await bench.open(), make_run("report_then_wait")
    await backend.submit(run)
    status = await wait_for(backend, run, lambda status: status.progress == {"step": 5})
    assert status.state is RunState.RUNNING
    assert 1 <= status.progress_sequence <= 2, "five quick reports are coalesced"


async def test_the_last_progress_is_kept_after_the_end(bench: Bench) -> None:
    status = await submit_and_wait(await bench.open(), make_run("report", payload={"steps": 1000}))
    assert status.progress == {"step": 1000}
    assert status.progress_sequence < 20


async def test_a_running_job_can_be_cancelled_more_than_once(bench: Bench) -> None:
    backend, run = await bench.open(), make_run("wait_until_asked")
    await backend.submit(run)
    await wait_until_running(backend, run)
    await backend.cancel(run.name)
    await backend.cancel(run.name)
    status = await wait_for_end(backend, run)
    assert (status.state, status.cause) == (RunState.CANCELLED, Cause.CANCELLED)
    await backend.cancel(run.name)
    assert await backend.status(run.name) == status


async def test_a_job_past_its_deadline_is_ended(bench: Bench) -> None:
    run = make_run("wait_until_asked", deadline_s=0.3)
    status = await submit_and_wait(await bench.open(), run)
    assert (status.state, status.cause) == (RunState.FAILED, Cause.TIMEOUT)
    assert status.reason == "ran past its deadline of 0.3 s"


async def test_an_outcome_left_before_being_ended_is_a_success(bench: Bench) -> None:
    status = await submit_and_wait(await bench.open(), make_run("finish_then_hang", deadline_s=1.0))
    assert status.state is RunState.SUCCEEDED
    assert status.outcome == {"done": True}


async def test_jobs_run_side_by_side(bench: Bench, tmp_path) -> None:
    backend, file = await bench.open(), tmp_path / "go"
    runs = [make_run("wait_until_file", key=letter * 64, payload={"file": str(file)}) for letter in "ab"]
    for run in runs:
        await backend.submit(run)
    for run in runs:
        await wait_until_running(backend, run)
    file.touch()
    for run in runs:
        assert (await wait_for_end(backend, run)).state is RunState.SUCCEEDED
    assert [status.name for status in await backend.list()] == [run.name for run in runs]


async def test_a_reopened_backend_adopts_what_runs_and_what_ended(bench: Bench, tmp_path) -> None:
    first, file = await bench.open(), tmp_path / "go"
    ended = make_run(key="a" * 64)
    running = make_run("wait_until_file", key="b" * 64, payload={"file": str(file)})
    await submit_and_wait(first, ended)
    await first.submit(running)
    await wait_until_running(first, running)
    await first.close()
    second = await bench.open()
    assert {status.name: status.state for status in await second.list()} == {
        ended.name: RunState.SUCCEEDED,
        running.name: RunState.RUNNING,
    }
    file.touch()
    assert (await wait_for_end(second, running)).outcome == {"waited": True}


async def test_older_attempts_are_stopped_and_nothing_else(bench: Bench) -> None:
    backend = await bench.open()
    older, newer = make_run("wait_until_asked", 1), make_run("wait_until_asked", 2)
    other = make_run("wait_until_asked", 1, key="c" * 64)
    for run in (older, newer, other):
        await backend.submit(run)
        await wait_until_running(backend, run)
    assert await backend.stop_older("training", KEY, 2) == [older.name]
    assert (await wait_for_end(backend, older)).state is RunState.CANCELLED
    assert (await backend.status(newer.name)).state is RunState.RUNNING
    assert (await backend.status(other.name)).state is RunState.RUNNING


async def test_a_jobs_attempts_are_found_among_others_until_they_are_forgotten(bench: Bench) -> None:
    backend = await bench.open()
    first, second, other = make_run(attempt=1), make_run(attempt=12), make_run(key="c" * 64)
    of_another_kind = make_run(key=KEY).model_copy(update={"kind": "eval"})
    of_a_like_key = make_run(key=KEY[:16] + "f" * 48, attempt=3)
    for run in (first, second, other, of_another_kind, of_a_like_key):
        await submit_and_wait(backend, run)
    reopened = await bench.open()
    for each in (backend, reopened):
        found = await each.attempts("training", KEY)
        assert sorted(status.name for status in found) == sorted([first.name, second.name])
        assert {status.state for status in found} == {RunState.SUCCEEDED}
        assert await each.names("eval") == {of_another_kind.name}
        assert await each.names("train") == set()
    await backend.forget(first.name)
    assert [status.name for status in await backend.attempts("training", KEY)] == [second.name]
    assert await backend.names("training") == {second.name, other.name, of_a_like_key.name}


async def test_an_ended_run_is_forgotten_and_an_active_one_is_not(bench: Bench) -> None:
    backend, run = await bench.open(), make_run("wait_until_asked")
    await backend.submit(run)
    await wait_until_running(backend, run)
    with pytest.raises(RunStillActive, match="cancel it"):
        await backend.forget(run.name)
    await backend.cancel(run.name)
    await wait_for_end(backend, run)
    await backend.forget(run.name)
    await backend.forget(run.name)
    assert await backend.list() == []


@pytest.mark.parametrize("name", ["training-unknown-1", "../outside", ".warm", ""])
async def test_an_unknown_name_is_said_to_be_unknown(bench: Bench, name: str) -> None:
    backend = await bench.open()
    with pytest.raises(RunUnknown):
        await backend.status(name)
    with pytest.raises(RunUnknown):
        await backend.logs(name)


async def test_cancelling_and_forgetting_an_unknown_run_changes_nothing(bench: Bench) -> None:
    backend = await bench.open()
    for name in ("training-unknown-1", "../outside", ".", "", "a\0b", "a" * 5000):
        await backend.cancel(name)
        await backend.forget(name)
    assert await backend.list() == []


async def test_shutdown_ends_every_run(bench: Bench) -> None:
    backend, run = await bench.open(), make_run("wait_until_asked")
    await backend.submit(run)
    await wait_until_running(backend, run)
    await backend.shutdown()
    assert (await (await bench.open()).status(run.name)).state is RunState.CANCELLED


async def test_an_exit_code_is_kept_with_the_end_of_the_log(process_bench: Bench) -> None:
    status = await submit_and_wait(await process_bench.open(), make_run("exit_with_three"))
    assert (status.state, status.exit_code) == (RunState.FAILED, 3)
    assert "about to leave" in status.log_tail
    assert status.reason == "exited with code 3 and left no outcome"


async def test_the_processor_time_of_a_run_without_an_outcome_is_known(process_bench: Bench) -> None:
    status = await submit_and_wait(await process_bench.open(), make_run("compute_and_leave"))
    assert status.cpu_s is not None
    assert status.cpu_s > 0.55, "its own and its child's"


async def test_output_errors_and_logging_are_in_the_log(process_bench: Bench) -> None:
    backend, run = await process_bench.open(), make_run("talk")
    await submit_and_wait(backend, run)
    log = await backend.logs(run.name)
    assert "a line on standard output" in log
    assert "a line on standard error" in log
    assert "INFO job: a line logged" in log
    assert "RuntimeWarning" not in log
    assert len((await backend.logs(run.name, tail=1)).splitlines()) == 1


async def test_a_traceback_is_in_the_log_of_a_failure(process_bench: Bench) -> None:
    status = await submit_and_wait(await process_bench.open(), make_run("raise_error"))
    assert "Traceback" in status.log_tail


async def test_a_killed_job_says_which_signal_killed_it(process_bench: Bench) -> None:
    backend, run = await process_bench.open(), make_run("wait_until_asked")
    await backend.submit(run)
    status = await wait_until_running(backend, run)
    assert status.pid is not None
    os.kill(status.pid, signal.SIGKILL)
    status = await wait_for_end(backend, run)
    assert (status.state, status.cause, status.exit_code) == (RunState.FAILED, Cause.KILLED, -9)
    assert status.reason == "killed by signal 9 (SIGKILL)"


async def test_a_job_that_ignores_the_request_is_killed_after_the_grace_period(process_bench: Bench) -> None:
    backend, run = await process_bench.open(), make_run("ignore_requests")
    await backend.submit(run)
    await wait_until_running(backend, run)
    await backend.cancel(run.name)
    status = await wait_for_end(backend, run)
    assert (status.state, status.exit_code) == (RunState.CANCELLED, -9)


async def test_a_job_that_takes_too_much_memory_is_killed(process_bench: Bench) -> None:
    run = make_run("take_memory", resources=Resources(memory_gib=0.25))
    status = await submit_and_wait(await process_bench.open(), run)
    assert (status.state, status.cause) == (RunState.FAILED, Cause.OUT_OF_MEMORY)
    assert status.reason is not None
    assert "of 0.25 GiB allowed" in status.reason


async def test_the_heartbeat_grows_while_a_job_is_silent(process_bench: Bench) -> None:
    backend, run = await process_bench.open(), make_run("ignore_requests")
    await backend.submit(run)
    first = (await wait_for(backend, run, lambda status: status.heartbeat_at is not None)).heartbeat_at
    later = await wait_for(backend, run, lambda status: status.heartbeat_at != first)
    assert first is not None
    assert later.heartbeat_at is not None
    assert later.heartbeat_at > first


async def test_nothing_a_job_started_outlives_it(process_bench: Bench) -> None:
    status = await submit_and_wait(await process_bench.open(), make_run("start_child_and_leave"))
    assert status.outcome is not None
    for _ in range(50):
        if not is_running(status.outcome["child"]):
            break
        await asyncio.sleep(0.1)
    assert not is_running(status.outcome["child"])


async def test_more_than_one_node_is_refused_where_there_is_one(local: Bench) -> None:
    backend = await local.open()
    with pytest.raises(ResourcesUnavailable, match=r"hardware\.nodes: 2 asked.*set it to 1"):
        await backend.submit(make_run(resources=Resources(nodes=2)))
    assert await backend.list() == []


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"

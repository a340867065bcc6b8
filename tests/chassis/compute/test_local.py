"""The local backend's warm parent and keepers: who survives whom, and what a job finds itself in."""

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
from assay_chassis.compute import Cause, LocalBackend, Resources, ResourcesUnavailable, RunState
from assay_chassis.compute.folder import RunFolder
from assay_chassis.compute.warm_folder import WarmRecord
from contract_bench import Bench, make_run, submit_and_wait, wait_for_end, wait_until_running

pytestmark = pytest.mark.real


async def ready(backend: LocalBackend, other_than: int | None = None) -> WarmRecord:
    """The record of a warm parent that has loaded."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        record = await backend.warm_parent()
        if record and record.state == "ready" and record.pid != other_than:
            return record
        await asyncio.sleep(0.05)
    raise AssertionError(f"no warm parent is ready: {record}")


async def test_start_and_submit_do_not_wait_for_the_preload(local: Bench) -> None:
    started = time.monotonic()
    backend = await local.open(preload=["slow_preload"])
    run = make_run("describe_process")
    await backend.submit(run)
    assert time.monotonic() - started < 1.5, "the preload alone takes 2 s"
    assert (await backend.status(run.name)).state is RunState.QUEUED
    assert (await wait_for_end(backend, run)).outcome["preloaded"] is True


async def test_a_job_is_a_process_of_its_own(local: Bench) -> None:
    backend = await local.open(environment={"CONTRACT_TOKEN": "given"})
    run = make_run("describe_process", resources=Resources(cpus=2))
    assert (await submit_and_wait(backend, run)).outcome == {
        "threads": "2",
        "group_leader": True,
        "interrupt_is_default": True,
        "descriptors": [0, 1, 2, 3],  # 3 is the listing itself
        "folder": True,
        "preloaded": False,
        "gpus": "",
        "token": "given",
        "note": None,
    }


async def test_runs_share_out_the_gpus_and_wait_for_one(local: Bench, tmp_path: Path) -> None:
    backend = await local.open(environment={"CUDA_VISIBLE_DEVICES": "4,5"})
    one = Resources(gpus=1)
    holder = make_run("wait_until_file", 1, payload={"file": str(tmp_path / "go")}, resources=one)
    await backend.submit(holder)
    await wait_until_running(backend, holder)
    second = await submit_and_wait(backend, make_run("describe_process", 2, resources=one))
    assert second.outcome["gpus"] == "5"
    both = make_run("describe_process", 3, resources=Resources(gpus=2))
    await backend.submit(both)
    await asyncio.sleep(0.3)
    assert (await backend.status(both.name)).state is RunState.QUEUED
    (tmp_path / "go").touch()
    assert (await wait_for_end(backend, both)).outcome["gpus"] == "4,5"
    with pytest.raises(
        ResourcesUnavailable, match=r"hardware\.gpus: 3 asked, this machine has 2; set it to 2 or fewer"
    ):
        await backend.submit(make_run(attempt=4, resources=Resources(gpus=3)))


async def test_the_end_of_a_run_is_heard_of(local: Bench) -> None:
    backend = await local.open()
    heard = asyncio.Event()
    backend.when_a_run_ends(heard.set)
    run = make_run("describe_process")
    await backend.submit(run)
    async with asyncio.timeout(60):
        await heard.wait()
    assert (await backend.status(run.name)).state is RunState.SUCCEEDED


async def test_scratch_files_go_with_success_and_stay_with_failure(local: Bench) -> None:
    backend = await local.open()
    succeeded, failed = make_run(), make_run("raise_error", attempt=2)
    await submit_and_wait(backend, succeeded)
    await submit_and_wait(backend, failed)
    assert not RunFolder(local.root / succeeded.name).work.exists()
    assert RunFolder(local.root / failed.name).work.exists()


async def test_a_run_outlives_its_warm_parent_and_the_next_one_takes_new_runs(local: Bench, tmp_path: Path) -> None:
    backend = await local.open()
    run = make_run("wait_until_file", payload={"file": str(tmp_path / "go")})
    await backend.submit(run)
    before = await wait_until_running(backend, run)
    first = await ready(backend)
    os.kill(first.pid, signal.SIGKILL)
    assert (await submit_and_wait(backend, make_run(attempt=2))).state is RunState.SUCCEEDED
    assert (await ready(backend)).pid != first.pid
    assert (await backend.status(run.name)).pid == before.pid
    (tmp_path / "go").touch()
    assert (await wait_for_end(backend, run)).state is RunState.SUCCEEDED


async def test_a_run_submitted_with_no_service_left_starts_with_the_next(local: Bench) -> None:
    run = make_run()
    local.root.mkdir()
    RunFolder.create(local.root, run)
    assert (await wait_for_end(await local.open(), run)).state is RunState.SUCCEEDED


async def test_a_queued_run_can_be_cancelled_and_never_starts(local: Bench) -> None:
    backend, run = await local.open(preload=["slow_preload"]), make_run()
    await backend.submit(run)
    await backend.cancel(run.name)
    status = await backend.status(run.name)
    assert (status.state, status.reason) == (RunState.CANCELLED, "cancelled before it started")
    await ready(backend)
    await asyncio.sleep(0.3)
    assert (await backend.status(run.name)).started_at is None


async def test_a_killed_keeper_takes_its_job_with_it_and_the_run_is_lost(local: Bench) -> None:
    backend, run = await local.open(), make_run("ignore_requests")
    await backend.submit(run)
    job = (await wait_until_running(backend, run)).pid
    keeper = RunFolder(local.root / run.name).read("keeper")
    os.kill(keeper["pid"], signal.SIGKILL)
    status = await wait_for_end(backend, run)
    assert (status.state, status.cause) == (RunState.LOST, Cause.LOST)
    await gone(job)


async def test_a_keeper_asked_to_end_ends_its_job_and_says_so(local: Bench) -> None:
    backend, run = await local.open(), make_run("wait_until_asked")
    await backend.submit(run)
    await wait_until_running(backend, run)
    os.kill(RunFolder(local.root / run.name).read("keeper")["pid"], signal.SIGTERM)
    status = await wait_for_end(backend, run)
    assert (status.state, status.cause) == (RunState.FAILED, Cause.KILLED)
    assert "shutting down" in status.reason


async def test_a_job_cleans_up_after_itself_and_not_after_its_warm_parent(local: Bench, tmp_path: Path) -> None:
    backend = await local.open(preload=["keeping_preload"], environment={"CONTRACT_KEPT_IN": str(tmp_path)})
    own = Path((await submit_and_wait(backend, make_run("keep_a_folder"))).outcome["folder"])
    assert not own.exists()
    assert len(list(tmp_path.glob("kept-*"))) == 1


async def test_a_preload_that_fails_is_reported_and_the_others_load(local: Bench) -> None:
    backend = await local.open(preload=["no_such_module", "wave"])
    record = await ready(backend)
    assert record.errors == {"no_such_module": "ModuleNotFoundError: No module named 'no_such_module'"}
    assert (await submit_and_wait(backend, make_run("describe_process"))).outcome["preloaded"] is True


async def test_a_preload_that_kills_its_process_is_given_up_on(local: Bench) -> None:
    backend = await local.open(preload=["deadly_preload"])
    run = make_run()
    for _ in range(60):
        await backend.submit(run)
        if (await backend.status(run.name)).state.ended:
            break
        await asyncio.sleep(0.5)
    assert (await backend.status(run.name)).state is RunState.SUCCEEDED


async def test_other_preloads_replace_the_warm_parent_and_leave_its_runs(local: Bench, tmp_path: Path) -> None:
    first = await local.open()
    run = make_run("wait_until_file", payload={"file": str(tmp_path / "go")})
    await first.submit(run)
    await wait_until_running(first, run)
    old = await ready(first)
    await first.close()
    second = await local.open(preload=["wave"])
    await ready(second, other_than=old.pid)
    await gone(old.pid)
    assert (await submit_and_wait(second, make_run("describe_process", attempt=2))).outcome["preloaded"] is True
    (tmp_path / "go").touch()
    assert (await wait_for_end(second, run)).state is RunState.SUCCEEDED


async def test_the_same_preloads_keep_the_warm_parent(local: Bench) -> None:
    first = await ready(await local.open(preload=["wave"]))
    await local.opened[0].close()
    second = await ready(await local.open(preload=["wave"]))
    assert second.pid == first.pid


async def test_two_services_on_one_root_share_a_warm_parent_and_run_once(local: Bench, tmp_path: Path) -> None:
    backends = [await local.open(), await local.open()]
    run = make_run("count_calls", payload={"counter": str(tmp_path / "counter")})
    await asyncio.gather(*(backend.submit(run) for backend in backends))
    await wait_for_end(backends[0], run)
    await wait_for_end(backends[1], run)
    assert (tmp_path / "counter").read_text() == "called\n"
    assert (await ready(backends[0])).pid == (await ready(backends[1])).pid


async def test_everything_ends_when_the_root_is_deleted(local: Bench) -> None:
    backend, run = await local.open(), make_run("ignore_requests")
    await backend.submit(run)
    job = (await wait_until_running(backend, run)).pid
    warm = await ready(backend)
    await backend.close()
    local.opened.clear()
    shutil.rmtree(local.root)
    await gone(job)
    await gone(warm.pid)


async def gone(pid: int | None) -> None:
    """Wait until a process is no more, or is a zombie nobody waits for."""
    assert pid is not None
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"process {pid} is still there")

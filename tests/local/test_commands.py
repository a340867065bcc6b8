"""`python -m assay_local` as a person uses it; the services' modules are stand-ins."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.real


@pytest.fixture
def state(tmp_path: Path, stand_in: str) -> Iterator[Path]:
    """A state folder; modules named like the services stand in front of the real ones."""
    modules = tmp_path / "modules"
    for name in ("scheduler", "trainer", "evaluator", "reporter"):
        package = modules / f"assay_{name}"
        package.mkdir()
        (package / "__main__.py").write_text(f"import {stand_in}")
    folder = tmp_path / "state"
    yield folder
    run("down", folder)


def run(command: str, state: Path, *options: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "assay_local", command, "--state", str(state), *options]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120)


def up(state: Path) -> dict[str, object]:
    done = run("up", state, "--detach", "--json", "--broker", "mock")
    assert done.returncode == 0, done.stderr
    record: dict[str, object] = json.loads(done.stdout)
    return record


def processes_of(record: dict[str, object]) -> list[psutil.Process]:
    described = record["processes"]
    assert isinstance(described, dict)
    return [psutil.Process(one["pid"]) for one in described.values()]


def test_up_and_down_detached(state: Path) -> None:
    record = up(state)
    assert run("status", state).returncode == 0
    family = processes_of(record)
    job = psutil.Process(int(urllib.request.urlopen(f"{record['api_url']}/job").read()))
    assert len(family) == 6
    done = run("down", state)
    assert "data stays" in done.stdout
    assert [process for process in [job, *family] if process.is_running()] == []
    assert run("status", state).returncode == 3
    assert "No system was running" in run("down", state).stdout


def test_a_second_up_says_that_it_is_running_already(state: Path) -> None:
    up(state)
    again = run("up", state, "--detach")
    assert again.returncode == 1
    assert "already running" in again.stderr
    assert run("status", state).returncode == 0


def test_a_dead_system_is_noticed_and_what_it_left_is_ended_but_its_jobs_go_on(state: Path) -> None:
    record = up(state)
    job = psutil.Process(int(urllib.request.urlopen(f"{record['api_url']}/job").read()))
    supervisor = record["supervisor"]
    assert isinstance(supervisor, dict)
    os.kill(supervisor["pid"], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(supervisor["pid"])] if psutil.pid_exists(supervisor["pid"]) else [], 5)
    status = json.loads(run("status", state, "--json").stdout)
    assert status["condition"] == "dead"
    orphans = processes_of(record)
    up(state)
    assert [process for process in orphans if process.is_running()] == []
    assert job.is_running()
    run("down", state)
    assert not job.is_running() or job.status() == psutil.STATUS_ZOMBIE


def test_interrupting_the_foreground_stops_everything(state: Path) -> None:
    arguments = [sys.executable, "-m", "assay_local", "up", "--state", str(state), "--broker", "mock"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if "Assay is ready" in line:
            break
    record = json.loads((state / "system.json").read_text())
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    time.sleep(0.2)
    assert not any(psutil.pid_exists(one["pid"]) for one in record["processes"].values())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("up", tmp_path / "file" / "state", "--detach")
    assert done.returncode == 1
    assert "--state" in done.stderr

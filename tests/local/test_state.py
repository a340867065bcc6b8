"""The state folder: its lock, its record, and what it refuses."""

from __future__ import annotations

import os
import shutil
import stat
from collections import namedtuple
from pathlib import Path

import pytest
from assay_local import ports
from assay_local.commands import Condition, down, status
from assay_local.errors import AlreadyRunning, StateFolderError
from assay_local.processes import live, record_of
from assay_local.state import ProcessRecord, StateFolder, SystemRecord, default_folder


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path / "state")
    state.prepare()
    return state


def record(**changes: object) -> SystemRecord:
    values = {
        "system": "s",
        "ready": True,
        "supervisor": ProcessRecord(pid=1, created=0.0),
        "kafka": "mock",
        "database_url_file": "f",
        "object_store": "file:///s",
        "api_url": "",
        "web_url": "",
    }
    return SystemRecord.model_validate({**values, **changes})


def test_only_its_owner_may_look_into_it(folder: StateFolder) -> None:
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_one_process_at_a_time_holds_it(folder: StateFolder) -> None:
    folder.lock()
    with pytest.raises(AlreadyRunning):
        StateFolder(folder.path).lock()
    folder.unlock()
    assert not folder.is_locked()
    StateFolder(folder.path).lock()


def test_a_record_whose_supervisor_is_gone_is_a_dead_system(folder: StateFolder) -> None:
    folder.write_record(record())
    assert status(folder)[0] is Condition.DEAD
    assert down(folder) is Condition.DEAD
    assert status(folder) == (Condition.STOPPED, None)


def test_a_system_is_starting_until_its_record_says_ready(folder: StateFolder) -> None:
    folder.lock()
    folder.write_record(record(ready=False))
    assert status(StateFolder(folder.path))[0] is Condition.STARTING
    folder.write_record(record())
    assert status(StateFolder(folder.path))[0] is Condition.RUNNING


def test_a_record_of_another_making_counts_as_none(folder: StateFolder) -> None:
    (folder.path / "system.json").write_text('{"somebody": "else"}')
    assert folder.record() is None


def test_looking_at_a_folder_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "none")
    assert status(state) == (Condition.STOPPED, None)
    assert down(state) is Condition.STOPPED
    assert not state.path.exists()


def test_a_full_disk_is_told_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2**40, 2**40, 10 * 2**20))
    with pytest.raises(StateFolderError, match="only 10 MiB are free"):
        StateFolder(tmp_path / "state").prepare()


def test_a_process_is_known_by_its_id_and_its_time_of_creation() -> None:
    own = record_of(os.getpid())
    assert own is not None
    assert live(own) is not None
    assert live(own.model_copy(update={"created": own.created - 60})) is None


def test_the_folder_is_assay_home_or_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_folder() == Path.home() / ".assay"
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    assert default_folder() == tmp_path


def test_a_port_in_use_is_replaced_by_a_free_one_that_no_client_is_given() -> None:
    taken = ports.free_port()
    assert ports.free_port(taken) == taken
    with ports.socket.socket() as server:
        server.bind((ports.HOST, taken))
        server.listen()
        assert ports.is_open(taken)
        other = ports.free_port(taken)
    assert other != taken
    assert 20_000 <= other < 32_000

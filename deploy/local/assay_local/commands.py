"""The commands `up`, `down` and `status` on a state folder.
Never prints: the caller shows what they return.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from assay_local import processes
from assay_local.errors import LocalError, NotStarted
from assay_local.leftovers import end_jobs, end_recorded
from assay_local.state import StateFolder, SystemRecord

if TYPE_CHECKING:
    from assay_local.system import EmbeddedSystem

_POLL_S = 0.05
_DETACHED_START_S = 900.0
_STOP_S = 90.0


class Condition(StrEnum):
    """`dead`: its record is there, the process that should supervise it is not."""

    RUNNING = "running"
    STARTING = "starting"
    DEAD = "dead"
    STOPPED = "stopped"


def up(system: EmbeddedSystem, started: Callable[[SystemRecord], None]) -> None:
    """Run the system in this process until SIGINT or SIGTERM; `started` is called when it is ready."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        started(system.start())
        while True:
            signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        system.stop()


def go_on_detached(state: StateFolder) -> SystemRecord | None:
    """Fork: None in the new process, in a session of its own, which then is to call `up`; its output goes to a log.

    The first process waits until the system is ready and gets its record; it must not have started threads.
    Raises AlreadyRunning, StateFolderError, or NotStarted with what the new process said last.
    """
    state.prepare()
    state.lock()  # says at once if a system is running
    state.unlock()
    log = state.logs / "system.log"
    pid = _fork(log)
    return None if pid == 0 else _await_record(state, pid, log)


def _fork(log: Path) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        with log.open("wb") as out, Path(os.devnull).open("rb") as nothing:
            for file, descriptor in ((nothing, 0), (out, 1), (out, 2)):
                os.dup2(file.fileno(), descriptor)
    return pid


def _await_record(state: StateFolder, pid: int, log: Path) -> SystemRecord:
    deadline = time.monotonic() + _DETACHED_START_S
    while time.monotonic() < deadline:
        record = state.record()
        if record is not None and record.ready and record.supervisor.pid == pid:
            return record
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            raise NotStarted(log.read_text(errors="replace").strip() or f"it ended with code {code}")
        time.sleep(_POLL_S)
    down(state)
    raise NotStarted(f"the system was not ready after {_DETACHED_START_S:g} s; see {log}")


def down(state: StateFolder) -> Condition:
    """Stop the system and its jobs, also what a dead one left; returns what it was before."""
    condition, record = status(state)
    if condition in (Condition.RUNNING, Condition.STARTING):
        _stop_supervisor(state, record)
    if state.path.exists():
        end_recorded(state)
        if condition is not Condition.STOPPED:
            end_jobs(state)
    return condition


def status(state: StateFolder) -> tuple[Condition, SystemRecord | None]:
    """Whether a system runs here, and its record."""
    record = state.record()
    if state.is_locked():
        return (Condition.RUNNING if record is not None and record.ready else Condition.STARTING), record
    return (Condition.STOPPED if record is None else Condition.DEAD), record


def alive(record: SystemRecord) -> dict[str, bool]:
    """Which recorded processes run."""
    return {name: processes.live(one) is not None for name, one in record.processes.items()}


def _stop_supervisor(state: StateFolder, record: SystemRecord | None) -> None:
    supervisor = processes.live(record.supervisor) if record else None
    if supervisor is None:
        raise LocalError(f"a system is just starting or stopping in {state.path}; try again in a few seconds")
    supervisor.terminate()
    deadline = time.monotonic() + _STOP_S
    while state.is_locked() and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if state.is_locked():
        supervisor.kill()
        supervisor.wait(5)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt

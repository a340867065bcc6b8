"""The commands `up`, `down` and `status` on a state folder.
Never prints: the caller shows what they return.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from enum import StrEnum
from types import FrameType

from assay_local import processes
from assay_local.errors import LocalError, NotStarted
from assay_local.leftovers import end_jobs, end_recorded
from assay_local.state import StateFolder, SystemRecord
from assay_local.system import EmbeddedSystem

_POLL_S = 0.1
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


def up_detached(state: StateFolder, broker: str) -> SystemRecord:
    """Run the system in a process of its own, in its own session, and return when it is ready.

    Raises AlreadyRunning, StateFolderError, or NotStarted with what that process said last.
    """
    state.prepare()
    state.lock()  # says at once if a system is running
    state.unlock()
    log = state.logs / "system.log"
    with log.open("wb") as out:
        arguments = [sys.executable, "-m", "assay_local", "up", "--state", str(state.path), "--broker", broker]
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + _DETACHED_START_S
    while time.monotonic() < deadline:
        record = state.record()
        if record is not None and record.ready and record.supervisor.pid == process.pid:
            return record
        if process.poll() is not None:
            raise NotStarted(log.read_text(errors="replace").strip() or f"it ended with code {process.returncode}")
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

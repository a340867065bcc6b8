"""What every part of the embedded system is: something prepared, run as one process, and asked if it is ready.
Never decides when a part runs again: the supervisor does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from assay_local.errors import NotStarted

_POLL_S = 0.05
_LOG_TAIL_BYTES = 3_000
_LOG_KEPT_BYTES = 20 * 2**20


@dataclass(frozen=True)
class Command:
    """How one process is started and stopped."""

    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0


class Component(Protocol):
    """One part of the system. All three methods may block; none may be called from an event loop's thread."""

    name: str

    def prepare(self) -> None:
        """Fetch and initialise what the process needs; safe to repeat, also before each retry of a start."""

    def command(self) -> Command:
        """The process to run, read again before each start."""

    def ready(self) -> bool:
        """Whether the running process does its work now; returns within a few seconds."""


class Process(Protocol):
    """A running process, as `subprocess.Popen` shows it; safe to use from several threads."""

    pid: int

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int, /) -> None: ...


def spawn(
    command: Command, arguments: Sequence[str] | None = None, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start the process in a session of its own, with its output appended to its log.

    `arguments` are used instead of the command's; `pass_fds` stay open in the process.
    """
    with open_log(command.log) as log:
        return subprocess.Popen(
            list(arguments or command.arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.folder,
            env={**os.environ, **command.environment},
            start_new_session=True,
            pass_fds=pass_fds,
        )


def open_log(path: Path) -> IO[bytes]:
    """The log, opened to be appended to; a long one is put aside first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LOG_KEPT_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return path.open("ab")


def stop(process: Process, command: Command) -> None:
    """Ask the process to stop, wait, then kill whatever is left of its process group."""
    if process.poll() is None:
        process.send_signal(command.stop_signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(command.stop_timeout_s)
    kill_group(process.pid)
    process.wait()


def kill_group(pid: int) -> None:
    """Kill the process group that `spawn` made for this pid; nothing happens when it is gone."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def log_tail(path: Path) -> str:
    """The last lines of a log, for error messages."""
    if not path.exists():
        return "(no log)"
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _LOG_TAIL_BYTES))
        return log.read().decode(errors="replace").strip() or "(the log is empty)"


def not_started(name: str, log: Path, why: str) -> NotStarted:
    return NotStarted(f"{name} did not start: {why}. The end of {log}:\n{log_tail(log)}")


class Running:
    """A component's process outside a supervisor: started, killed and started again by hand."""

    def __init__(self, component: Component, timeout_s: float) -> None:
        self._component = component
        self._timeout_s = timeout_s
        self.start()

    def start(self) -> None:
        """Start the process and wait until it is ready; NotStarted, with nothing left behind, if it is not."""
        self._command = self._component.command()
        self._process = spawn(self._command)
        try:
            wait_ready(self._component, self._process, self._command, self._timeout_s)
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL to the process, as a crash would; its children are not told."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        stop(self._process, self._command)


@contextmanager
def running(component: Component, timeout_s: float = 60.0) -> Iterator[Running]:
    """Prepare and start a component, wait until it is ready, and stop it at the end.

    Raises NotStarted when the process ends or is not ready within `timeout_s`.
    """
    component.prepare()
    process = Running(component, timeout_s)
    try:
        yield process
    finally:
        process.stop()


def wait_ready(component: Component, process: Process, command: Command, timeout_s: float) -> None:
    """Block until the component is ready; NotStarted when it ends or takes longer than `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not component.ready():
        if (code := process.poll()) is not None:
            raise not_started(component.name, command.log, f"it ended with code {code}")
        if time.monotonic() > deadline:
            raise not_started(component.name, command.log, f"it was not ready after {timeout_s:g} s")
        time.sleep(_POLL_S)

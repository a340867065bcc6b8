"""The supervisor's side of the services' warm parent: starts it, asks it for services, learns how they end.
Never waits for its imports before a service is asked for.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from assay_local.component import Command, kill_group, open_log, spawn, stop
from assay_local.errors import NotStarted
from assay_local.warm_parent import LONGEST_REQUEST, NUMBER

_START_S = 60.0


class ForkedService:
    """A service that the warm parent forked: as much of `subprocess.Popen` as the supervisor needs.

    Where the warm parent has died nobody learns of the service's end, so the service is killed.
    """

    def __init__(self, pid: int, ends: socket.socket) -> None:
        self.pid = pid
        self._ends = ends

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._code(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises subprocess.TimeoutExpired."""
        code = self._code(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _code(self, timeout_s: float | None) -> int | None:
        # Peeked at and never taken, because several threads may ask.
        if not select.select([self._ends], [], [], timeout_s)[0]:
            return None
        said = self._ends.recv(NUMBER.size, socket.MSG_PEEK)
        if said:
            return int(NUMBER.unpack(said)[0])
        kill_group(self.pid)
        return -signal.SIGKILL


class WarmServices:
    """One warm parent, started again when it has died. `environment` is what marks its processes as this system's."""

    def __init__(self, modules: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self._command = Command(
            arguments=[sys.executable, "-m", "assay_local.warm_parent"],
            log=log,
            environment={**environment, "PYTHONUNBUFFERED": "1"},
            stop_timeout_s=2.0,
        )
        self._preload = [f"{module}.app" for module in modules]
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None

    def start(self) -> None:
        """Start it, unless it runs; it imports while other things are done."""
        with self._lock:
            self._connected()

    def spawn(self, module: str, command: Command) -> ForkedService:
        """Run a service's module with the log of its command, and its environment on top of this process's as it is
        now: the warm parent's own is of the time when it was started. Raises NotStarted or OSError."""
        asked = {"module": module, "environment": {**os.environ, **command.environment}}
        text = json.dumps(asked).encode() + b"\n"
        if len(text) > LONGEST_REQUEST:
            raise NotStarted(f"the settings of {module} are longer than {LONGEST_REQUEST} bytes")
        ours, theirs = socket.socketpair()
        with self._lock, theirs, open_log(command.log) as log:
            socket.send_fds(self._connected(), [text], [log.fileno(), theirs.fileno()])
        return ForkedService(_said_pid(ours, module, self._command.log), ours)

    def stop(self) -> None:
        """End it; services that still run are killed by whoever holds them."""
        with self._lock:
            if self._requests is not None:
                self._requests.close()
                self._requests = None
            if self._process is not None:
                stop(self._process, self._command)
                self._process = None

    def _connected(self) -> socket.socket:
        if self._requests is None or self._process is None or self._process.poll() is not None:
            ours, theirs = socket.socketpair()
            with theirs:
                arguments = [*self._command.arguments, str(theirs.fileno()), *self._preload]
                self._process = spawn(self._command, arguments, pass_fds=(theirs.fileno(),))
            self._requests = ours
        return self._requests


def _said_pid(ends: socket.socket, module: str, log: Path) -> int:
    ends.settimeout(_START_S)
    try:
        said = ends.recv(NUMBER.size, socket.MSG_WAITALL)
    except TimeoutError as late:
        raise NotStarted(f"{module} was not forked within {_START_S:g} s; see {log}") from late
    ends.settimeout(None)
    if len(said) < NUMBER.size:
        raise NotStarted(f"{module} was not forked: the warm parent ended; see {log}")
    return int(NUMBER.unpack(said)[0])

"""The services' warm parent: imports their code once, then forks a service whenever the supervisor asks for one.
Never decides what runs, and never runs a service's code in its own process.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

NUMBER = struct.Struct("!i")
"""What is said about a service on its own socket: its process id first, its exit code when it has ended."""
LONGEST_REQUEST = 2**18


@dataclass(frozen=True)
class Request:
    """A service to run: its module, its whole environment, the file for its output, the socket its end is told on."""

    module: str
    environment: dict[str, str]
    log: int
    ends: int


class WarmParent:
    """Serves requests from one socket, one at a time; ends when the other side is closed."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._ends: dict[int, int] = {}
        self._woken, self._wakes = socket.socketpair()

    def serve(self) -> Request | None:
        """Returns None at the end; in each forked process, the request that it shall become."""
        self._wakes.setblocking(False)
        signal.set_wakeup_fd(self._wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([self._requests, self._woken], [], [])
            if self._woken in ready:
                self._woken.recv(1024)
                self._tell_ends()
            if self._requests in ready:
                request = receive(self._requests)
                if request is None or self._fork(request) == 0:
                    return request

    def _fork(self, request: Request) -> int:
        pid = os.fork()
        if pid:
            self._ends[pid] = request.ends
            os.close(request.log)
        else:
            self._leave()
        return pid

    def _leave(self) -> None:
        """In a forked process: let go of all that belongs to the parent."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for one in (self._requests, self._woken, self._wakes):
            one.close()
        for end in self._ends.values():
            os.close(end)

    def _tell_ends(self) -> None:
        for pid in list(self._ends):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                end = self._ends.pop(pid)
                with suppress(OSError):  # nobody listens any more
                    os.write(end, NUMBER.pack(os.waitstatus_to_exitcode(status)))
                os.close(end)


def receive(requests: socket.socket) -> Request | None:
    """The next request; None when there will be no more."""
    text, files = b"", array.array("i")
    while not text.endswith(b"\n"):
        part, descriptors, _, _ = socket.recv_fds(requests, LONGEST_REQUEST, 2)
        if not part:
            return None
        text += part
        files.extend(descriptors)
    said = json.loads(text)
    log, ends = files
    return Request(said["module"], said["environment"], log, ends)


def preload(modules: Iterable[str]) -> None:
    """Import what can be imported; what cannot is said in full by the service itself when it starts."""
    gc.disable()  # what is imported stays: looking at it again and again takes a fifth of the time
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception:
            traceback.print_exc()
    gc.freeze()  # the collector then leaves the pages alone that all services share
    gc.enable()


def become(request: Request) -> None:
    """Turn this forked process into the service, as `python -m` would have started it."""
    os.setsid()
    for stream in (1, 2):
        os.dup2(request.log, stream)
    os.write(request.ends, NUMBER.pack(os.getpid()))
    os.close(request.log)
    os.close(request.ends)
    os.environ.clear()
    os.environ.update(request.environment)
    sys.argv = [request.module]
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


def main() -> None:
    """`python -m assay_local.warm_parent DESCRIPTOR MODULE...`: the socket of requests, and what to import."""
    descriptor, *modules = sys.argv[1:]
    preload(modules)
    request = WarmParent(socket.socket(fileno=int(descriptor))).serve()
    if request is not None:
        become(request)


if __name__ == "__main__":
    main()

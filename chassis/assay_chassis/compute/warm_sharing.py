"""Where the warm parents of one machine meet, so that what all of them import is imported once: the first of them
forks the others. Never starts a process, and is left aside where nobody names a folder for it."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from assay_chassis.compute.pipe import Pipe

LOOK_S = 0.02


class Process(Protocol):
    """As much of `subprocess.Popen` as the client of a warm parent needs."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...

    def wait(self, timeout: float | None = None) -> int: ...


@dataclass(frozen=True)
class Asked:
    """A warm parent to fork: its command line after the module, its whole environment, and the file of its output."""

    arguments: list[str]
    environment: dict[str, str]
    log: str

    def enter(self) -> None:
        """Make this process's surroundings those of the one that was asked for."""
        log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        for stream in (1, 2):
            os.dup2(log, stream)
        os.close(log)
        os.environ.clear()
        os.environ.update(self.environment)


class WarmSharing:
    """One folder for all that have libraries, code and environment in common; others have another one.

    Only its owner may look inside: what is asked holds the services' environment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._first = self.path / "first"
        self._pipe = Pipe(self.path / "nudges")
        self._pipe.make()

    def become_first(self) -> int | None:
        """A lock for the first warm parent to inherit and keep; None where there is one already."""
        lock = os.open(self._first, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def has_first(self) -> bool:
        lock = self.become_first()
        if lock is not None:
            os.close(lock)
        return lock is None

    def forget(self) -> None:
        """Remove what was asked of a first warm parent that is gone."""
        for path in (*self.path.glob("*.asked"), *self.path.glob("*.forked")):
            path.unlink(missing_ok=True)

    def ask(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> ForkedElsewhere:
        """Leave word for the first warm parent, which looks when it has loaded."""
        name = uuid.uuid4().hex
        text = json.dumps({"arguments": list(arguments), "environment": dict(environment), "log": str(log)})
        prepared = self.path / f".{name}"
        prepared.touch(0o600)
        prepared.write_text(text, encoding="utf-8")
        prepared.rename(self._request(name))
        with suppress(OSError):
            self._pipe.nudge()  # where none listens yet, it will look by itself
        return ForkedElsewhere(self, name)

    def open_nudges(self) -> int:
        """The pipe's reading end, for the first warm parent."""
        return self._pipe.open()

    def asked(self) -> dict[str, Asked]:
        """What waits to be forked, by name."""
        found = {}
        for path in self.path.glob("*.asked"):
            with suppress(FileNotFoundError):  # withdrawn meanwhile
                found[path.stem] = Asked(**json.loads(path.read_text(encoding="utf-8")))
        return found

    def answer(self, name: str, pid: int) -> None:
        """Say which process it became; the request, with its environment, is gone then."""
        prepared = self.path / f".{name}"
        prepared.write_text(str(pid), encoding="utf-8")
        prepared.rename(self._answer(name))
        self.withdraw(name)

    def answered(self, name: str) -> int | None:
        """The process that a request became, told once; None while it waits, or when nobody will take it."""
        with suppress(FileNotFoundError):
            pid = int(self._answer(name).read_text(encoding="utf-8"))
            self._answer(name).unlink()
            return pid
        return None

    def waits(self, name: str) -> bool:
        """Whether somebody is there who will take the request."""
        return self._request(name).exists() and self.has_first()

    def withdraw(self, name: str) -> None:
        self._request(name).unlink(missing_ok=True)

    def _request(self, name: str) -> Path:
        return self.path / f"{name}.asked"

    def _answer(self, name: str) -> Path:
        return self.path / f"{name}.forked"


class ForkedElsewhere:
    """A warm parent that another one forks, or will fork; a `Process` though it is nobody's child here."""

    def __init__(self, sharing: WarmSharing, name: str) -> None:
        self._sharing = sharing
        self._name = name
        self._process: int | None = None
        self.pid = 0
        """0 until it was forked."""

    def poll(self) -> int | None:
        """None while it waits to be forked or runs."""
        waits = self._sharing.waits(self._name)
        if self._process is None and (pid := self._sharing.answered(self._name)) is not None:
            self.pid = pid
            with suppress(ProcessLookupError):
                self._process = os.pidfd_open(pid)
        if self._process is None:
            return None if waits else 1
        return 0 if select.select([self._process], [], [], 0)[0] else None

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Its end. Raises subprocess.TimeoutExpired."""
        give_up = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if give_up is not None and time.monotonic() > give_up:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
            time.sleep(LOOK_S)
        return code

    def _signal(self, number: int) -> None:
        self._sharing.withdraw(self._name)
        self.poll()
        if self._process is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

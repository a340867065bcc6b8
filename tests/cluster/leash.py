"""Ends every process of a test session once that session is gone, however it went: also when it was killed.
Never touches a process that does not carry the session's mark in its environment.

`python leash.py MARK` waits until its input ends, which it does with the process at the other end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress

import psutil

VARIABLE = "ASSAY_TEST_LEASH"
LONGEST_S = 20.0
TICK_S = 0.1


class Leash:
    """Give `environment` to every process that must not outlive this one; children inherit it."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex
        self._holder = subprocess.Popen(
            [sys.executable, __file__, self.mark], stdin=subprocess.PIPE, start_new_session=True
        )

    @property
    def environment(self) -> dict[str, str]:
        return {VARIABLE: self.mark}

    def end(self) -> None:
        """End what is left now. Safe to repeat."""
        assert self._holder.stdin is not None
        self._holder.stdin.close()
        self._holder.wait(LONGEST_S + 10)


def mark_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The mark in an environment, for a process that starts others with an environment of their own."""
    return {VARIABLE: environment[VARIABLE]} if VARIABLE in environment else {}


def end_marked(variable: str, value: str) -> None:
    """Kill every process whose environment has this, and those it starts meanwhile."""
    give_up = time.monotonic() + LONGEST_S
    while (found := list(_marked(variable, value))) and time.monotonic() < give_up:
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, TICK_S)


def _marked(variable: str, value: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(variable) == value and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def main(mark: str) -> None:
    os.chdir("/")
    sys.stdin.buffer.read()
    end_marked(VARIABLE, mark)


if __name__ == "__main__":
    main(sys.argv[1])

"""What a test session starts never outlives it, also when nobody is left to clean up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from leash import VARIABLE, Leash

pytestmark = pytest.mark.real
SESSION = """
import os, subprocess, sys, time
from leash import Leash
leash = Leash()
sleeper = [sys.executable, "-c", "import subprocess, time; subprocess.Popen(['sleep', '600']); time.sleep(600)"]
child = subprocess.Popen(sleeper, env={**os.environ, **leash.environment}, start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""


def sleeping(process: psutil.Process) -> list[psutil.Process]:
    """The process and the one it started, once both are there."""
    give_up = time.monotonic() + 30
    while not (children := process.children()):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    return [process, *children]


def test_a_killed_session_leaves_nothing_behind() -> None:
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    session = subprocess.Popen(
        [sys.executable, "-c", SESSION], stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parent
    )
    assert session.stdout is not None
    started = sleeping(psutil.Process(int(session.stdout.readline())))
    session.send_signal(signal.SIGKILL)
    session.wait(30)
    session.stdout.close()
    assert psutil.wait_procs(started, timeout=30)[1] == []


def test_an_end_in_order_ends_what_is_left_and_nothing_else() -> None:
    leash, other = Leash(), Leash()
    mine, theirs = (subprocess.Popen(["sleep", "600"], env={**os.environ, **one.environment}) for one in (leash, other))
    leash.end()
    leash.end()
    assert mine.wait(30) == -signal.SIGKILL
    assert theirs.poll() is None
    other.end()
    assert theirs.wait(30) == -signal.SIGKILL

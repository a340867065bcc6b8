"""Keeps one run: starts its process, watches limits, deadline and cancellation, and records its end.
Never imports what the job imports; it outlives the service and the warm parent, and dies with its run."""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from assay_chassis.compute.base import Cause, JobRun
from assay_chassis.compute.devices import VISIBLE
from assay_chassis.compute.folder import RunFolder
from assay_chassis.compute.job import LIBC, run_job
from assay_chassis.compute.pipe import Pipe
from assay_chassis.compute.processes import ask_group_to_end, descendants, end_all, memory_gib

TICK_S = 0.25
BEAT_S = 1.0
ENDS = ".ends"
"""The pipe among the runs where a service hears that one has ended."""
MEMORY_TICK_S = 0.5
ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


@dataclass
class Stop:
    """Why the keeper is ending its run, and when it stops asking."""

    cause: Cause
    reason: str
    kill_at: float


def keep(folder: RunFolder, grace_s: float, gpus: Sequence[str] | None = None) -> None:
    """Run the folder's run to its end. Does nothing when it was started before, whoever did.

    `gpus` are those that the job may see; None leaves that to whoever started the keeper."""
    with suppress(PermissionError):  # it leads a session already
        os.setsid()
    lock, run = folder.keep(), folder.run()
    if lock is None or run is None or folder.has("keeper.json"):
        return
    folder.write("keeper", {"pid": os.getpid(), "at": time.time(), "gpus": list(gpus or ())})
    if gpus is not None:
        os.environ[VISIBLE] = ",".join(gpus)
    if folder.has("cancel"):
        record_end(folder, None, Stop(Cause.CANCELLED, "cancelled before it started", 0.0))
        return
    Keeper(run, folder, grace_s, lock).keep()


class Keeper:
    """The parent of one job process."""

    def __init__(self, run: JobRun, folder: RunFolder, grace_s: float, lock: int) -> None:
        self._lock = lock
        self._run = run
        self._folder = folder
        self._grace_s = grace_s
        self._stop: Stop | None = None
        self._terminated = False

    def keep(self) -> None:
        if sys.platform == "linux":
            LIBC.prctl(ADOPT_ORPHANS, 1)
        woken, wake = _wake_on_signals(self._on_terminate)
        self._job = os.fork()
        if self._job == 0:
            run_job(self._run, self._folder, close=(self._lock, woken, wake))
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(self._job, self._job)
        status = self._watch(woken)
        end_all(descendants(os.getpid()))
        _reap()
        record_end(self._folder, status, self._stop)

    def _on_terminate(self) -> None:
        self._terminated = True

    def _watch(self, woken: int) -> int:
        """Until the job's process ends; its wait status."""
        started = now = time.monotonic()
        next_beat = next_memory = now
        deadline = started + self._run.deadline_s if self._run.deadline_s else None
        while True:
            pid, status = os.waitpid(self._job, os.WNOHANG)
            if pid:
                return status
            if now >= next_beat:
                self._folder.beat()
                next_beat = now + BEAT_S
            if now >= next_memory:
                self._check_memory()
                next_memory = now + MEMORY_TICK_S
            self._check_asked(deadline, now)
            if self._stop and now >= self._stop.kill_at:
                end_all(descendants(os.getpid()))
            if select.select([woken], [], [], TICK_S)[0]:
                os.read(woken, 512)
            now = time.monotonic()

    def _check_asked(self, deadline: float | None, now: float) -> None:
        if self._stop:
            return
        if self._folder.has("cancel"):
            self._end(Cause.CANCELLED, "cancelled")
        elif deadline is not None and now >= deadline:
            self._end(Cause.TIMEOUT, f"ran past its deadline of {self._run.deadline_s:g} s")
        elif self._terminated:
            self._end(Cause.KILLED, "its keeper was asked to end (SIGTERM): the machine is shutting down")

    def _check_memory(self) -> None:
        limit = self._run.resources.memory_gib
        if limit is None or (self._stop and self._stop.cause is Cause.OUT_OF_MEMORY):
            return
        processes = descendants(os.getpid())
        used = memory_gib(processes, limit)
        if used > limit:
            reason = f"out of memory: {used:.2f} GiB used of {limit:g} GiB allowed"
            self._stop = Stop(Cause.OUT_OF_MEMORY, reason, 0.0)
            end_all(processes)

    def _end(self, cause: Cause, reason: str) -> None:
        self._stop = Stop(cause, reason, time.monotonic() + self._grace_s)
        ask_group_to_end(self._job)


def record_end(folder: RunFolder, status: int | None, stop: Stop | None) -> None:
    """Write how it ended to the log, and then as the last record."""
    cause, reason, code = explain(status, stop, folder)
    if folder.has("outcome.json"):
        shutil.rmtree(folder.work, ignore_errors=True)
    else:
        with folder.log.open("a", encoding="utf-8") as log:
            log.write(f"[assay] {reason}\n")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = spent.ru_utime + spent.ru_stime
    folder.write("end", {"cause": cause, "reason": reason, "exit_code": code, "at": time.time(), "cpu_s": cpu_s})
    with suppress(OSError):  # a hint for the service, which also looks by itself
        Pipe(folder.path.parent / ENDS).nudge()


def _reap() -> None:
    """Take in what the job left behind and what ended: their processor time counts from then on."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def explain(status: int | None, stop: Stop | None, folder: RunFolder) -> tuple[Cause, str, int | None]:
    """Cause, words and exit code (negative: a signal) of an end that left no outcome."""
    code = None if status is None else os.waitstatus_to_exitcode(status)
    if stop is not None:
        return stop.cause, stop.reason, code
    failure = folder.read("failure")
    if failure is not None:
        cause = Cause.OUT_OF_MEMORY if failure["out_of_memory"] else Cause.ERROR
        return cause, f"its code raised {failure['class']}", code
    if code is not None and code < 0:
        return Cause.KILLED, f"killed by signal {-code} ({_signal_name(-code)})", code
    return Cause.ERROR, f"exited with code {code} and left no outcome", code


def _signal_name(number: int) -> str:
    """SIGKILL for 9; real-time signals have no names."""
    return signal.Signals(number).name if number in set(signal.Signals) else "real-time"


def _wake_on_signals(on_terminate: Callable[[], None]) -> tuple[int, int]:
    """A pipe whose first end becomes readable when the job ends or the keeper is asked to."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGTERM, lambda _number, _frame: on_terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake)
    return woken, wake

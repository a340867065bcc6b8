"""Starts the processes of one job on this machine, watches them, and ends all when one is lost.

Knows nothing of training; the processes meet through a file, and no port is opened for that.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from assay_chassis.job_service.failures import JobFailed

DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
TICK_S = 0.05
EXPLAIN_S = 3.0  # how long the others may take to say more than that they lost a peer
END_S = 10.0
OWN_FAULT, PEER_LOST = 1, 3
OF_MEMORY = "If it was killed for memory, raise hardware.memory_gib or lower hyperparameters.micro_batch_size"
IN_THE_LOG = "Its last lines in the log say why"


class LostRank(JobFailed):
    """A process of the job is gone; the others cannot go on without it."""

    def __init__(self, rank: int, of: int, how: str, mend: str = IN_THE_LOG) -> None:
        goes_on = "the job goes on from its last checkpoint when it is tried again"
        super().__init__("lost_rank", f"process {rank} of {of} {how}; {goes_on}. {mend}", retryable=True)


class ProcessFailed(Exception):
    """A process raised what is no end of the job's own: a fault of the engine or of its surroundings."""


@dataclass(frozen=True)
class End:
    """How a process ended: its exit code, negative for a signal."""

    rank: int
    code: int

    @property
    def told(self) -> int:
        """Greater for ends that explain others: killed, then failed by itself, then having lost a peer."""
        return 2 if self.code < 0 else 1 if self.code == OWN_FAULT else 0


def launch(count: int, folder: Path, be_rank: Callable[[int], None]) -> None:
    """Fork `count` processes that call `be_rank(rank)`, and wait for all of them.

    `folder` takes their reports. Raises the JobFailed that one of them raised, LostRank where one was killed, else
    ProcessFailed. Call it before anything has started a thread.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parent = os.getpid()
    processes = {_fork(rank, parent, folder, be_rank): rank for rank in range(count)}
    try:
        ends = _watch(processes)
    finally:
        _end(processes)
    if ends:
        raise _explained(max(ends, key=lambda end: end.told), count, folder)


def _fork(rank: int, parent: int, folder: Path, be_rank: Callable[[int], None]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if not process:
        _be(rank, parent, folder, be_rank)
    return process


def _be(rank: int, parent: int, folder: Path, be_rank: Callable[[int], None]) -> NoReturn:
    code = OWN_FAULT
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(OWN_FAULT)
        be_rank(rank)
        code = 0
    except JobFailed as error:
        _report(folder, rank, error.error_class, str(error), error.retryable)
    except Exception as error:
        traceback.print_exc()
        if _lost_peer(error):
            code = PEER_LOST
        _report(folder, rank, type(error).__name__, f"{type(error).__name__}: {error}"[:2000], None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _lost_peer(error: Exception) -> bool:
    """Whether a collective failed, which is how the loss of another process is felt."""
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and dist.is_initialized())


def _report(folder: Path, rank: int, class_: str, message: str, retryable: bool | None) -> None:
    content = json.dumps({"class": class_, "message": message, "retryable": retryable})
    (folder / f"failure-{rank}.json").write_text(content)


def _signal_name(number: int) -> str:
    """Signals between the first and the last real-time one have no name of their own."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _watch(processes: dict[int, int]) -> list[End]:
    """Until all have ended well, or shortly after one did not; the bad ends."""
    living, bad = dict(processes), list[End]()
    until: float | None = None
    while living and (until is None or time.monotonic() < until):
        for process in list(living):
            done, status = os.waitpid(process, os.WNOHANG)
            if done:
                rank = living.pop(process)
                processes.pop(process)
                code = os.waitstatus_to_exitcode(status)
                bad += [End(rank, code)] if code else []
        if bad and until is None:
            until = time.monotonic() + EXPLAIN_S
        if any(end.told for end in bad):
            return bad
        time.sleep(TICK_S)
    return bad


def _end(processes: dict[int, int]) -> None:
    """Kill what is left; a process that hangs in a collective hears nothing else."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    deadline = time.monotonic() + END_S
    for process in processes:
        while time.monotonic() < deadline:
            with suppress(ChildProcessError):
                if not os.waitpid(process, os.WNOHANG)[0]:
                    time.sleep(TICK_S)
                    continue
            break


def _explained(end: End, count: int, folder: Path) -> Exception:
    if end.code < 0:
        mend = OF_MEMORY if -end.code == signal.SIGKILL else IN_THE_LOG
        return LostRank(end.rank, count, f"was killed by {_signal_name(-end.code)}", mend)
    report = folder / f"failure-{end.rank}.json"
    if not report.exists():
        return LostRank(end.rank, count, f"exited with code {end.code} and said nothing")
    found = json.loads(report.read_text())
    if found["retryable"] is None:
        return ProcessFailed(f"process {end.rank} of {count}: {found['message']}")
    return JobFailed(found["class"], found["message"], retryable=found["retryable"])

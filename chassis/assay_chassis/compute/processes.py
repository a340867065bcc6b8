"""The processes of one run: their memory, and their end.
Never touches a process that the run did not start."""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import psutil

GIB = 2**30


def descendants(pid: int) -> list[psutil.Process]:
    """All living processes started by `pid`, however deep."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def memory_gib(processes: list[psutil.Process], limit_gib: float) -> float:
    """Memory the processes hold, in GiB.

    Their resident sets count pages shared with a warm parent once for each process, but cost little
    to read: only when their sum is over the limit are the shared pages divided up (PSS)."""
    resident = sum(_bytes(process, shared=True) for process in processes)
    if resident <= limit_gib * GIB:
        return resident / GIB
    return sum(_bytes(process, shared=False) for process in processes) / GIB


def _bytes(process: psutil.Process, *, shared: bool) -> int:
    with suppress(psutil.Error):
        if shared or not psutil.LINUX:
            return int(process.memory_info().rss)
        return int(process.memory_full_info().pss)
    return 0


def end_all(processes: list[psutil.Process]) -> None:
    """SIGKILL to each."""
    for process in processes:
        with suppress(psutil.Error):
            process.kill()


def ask_group_to_end(group: int) -> None:
    """SIGTERM to a process group that may be gone already."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGTERM)

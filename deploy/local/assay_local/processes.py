"""Finding and ending the processes of a system, jobs and orphans included, by the mark in their environment.
Never touches a process that does not carry the system's mark or stand in its record.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress

import psutil

from assay_local.state import ProcessRecord

MARK = "ASSAY_SYSTEM_ID"
_CREATED_TOLERANCE_S = 0.5


def record_of(pid: int, log: str = "", url: str = "") -> ProcessRecord | None:
    """The record of a live process; None when it has just ended."""
    try:
        return ProcessRecord(pid=pid, created=psutil.Process(pid).create_time(), log=log, url=url)
    except psutil.NoSuchProcess:
        return None


def live(record: ProcessRecord) -> psutil.Process | None:
    """The process of a record if it still runs; another process that has got its id does not count."""
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.created) < _CREATED_TOLERANCE_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def marked(system: str) -> list[psutil.Process]:
    """Every live process that carries the system's mark, this one and its ancestors excepted."""
    spared = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in spared and _carries(process, system)]


def end(processes: Iterable[psutil.Process], grace_s: float) -> None:
    """Ask the processes to end, and kill those that have not after `grace_s` seconds."""
    all_of_them = list(processes)
    for process in all_of_them:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(all_of_them, timeout=grace_s)
    for process in left:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(left, timeout=5)


def _carries(process: psutil.Process, system: str) -> bool:
    try:
        return process.environ().get(MARK) == system
    except (psutil.Error, OSError):
        return False

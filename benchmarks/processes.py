"""What a process has used, as Linux tells it: processor time of a whole family, and memory.

Never measures this process's own threads apart.
"""

from __future__ import annotations

import ctypes
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


def adopt_orphans() -> None:
    """From now on what is detached from a child of this process stays in its family, so that it is counted there."""
    ctypes.CDLL(None, use_errno=True).prctl(ADOPT_ORPHANS, 1, 0, 0, 0)


def cpu_of_family(pid: int) -> float:
    """Seconds of processor time of a process and all below it, also of those that have ended."""
    parents, ticks = dict[int, int](), dict[int, int]()
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, _, rest = place.read_text().partition(" (")
            said = rest.rpartition(") ")[2].split()
            parents[int(number)], ticks[int(number)] = int(said[1]), sum(map(int, said[11:15]))
    family = {pid}
    while more := {one for one, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(ticks.get(one, 0) for one in family) / os.sysconf("SC_CLK_TCK")


def memory_mib(process: int, what: Literal["VmRSS", "VmHWM"]) -> int:
    """A process's resident memory: VmRSS now, VmHWM at most."""
    said = Path(f"/proc/{process}/status").read_text()
    found = re.search(rf"^{what}:\s+(\d+) kB", said, re.MULTILINE)
    return round(int(found[1]) / 1024) if found else 0

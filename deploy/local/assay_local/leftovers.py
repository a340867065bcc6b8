"""What a system leaves behind when it is stopped or has died: jobs in sessions of their own, and orphans.
Never touches a process that is neither recorded in the state folder nor marked with its system's id.
"""

from __future__ import annotations

from assay_local import processes
from assay_local.state import StateFolder

_GRACE_S = 12.0
_ROUNDS = 3


def end_recorded(state: StateFolder) -> bool:
    """End the parts that a dead system's record names, so that their data and ports are free; says if any ran."""
    record = state.record()
    if record is None:
        return False
    alive = [process for one in record.processes.values() if (process := processes.live(one)) is not None]
    processes.end(alive, _GRACE_S)
    state.forget()
    return bool(alive)


def end_jobs(state: StateFolder) -> int:
    """End every process that descends from this folder's services, jobs too; returns how many there were."""
    count = 0
    for _ in range(_ROUNDS):  # a process may start another one while it is ended
        found = processes.marked(state.system_id())
        if not found:
            break
        count += len(found)
        processes.end(found, _GRACE_S)
    return count

"""What Kueue says of a run that waits, as a sentence for people with the mend.
Pure: reads a Workload as JSON; what ended a run is `seeing`'s affair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]

NO_REASON = ""
MADE_ROOM = {
    "InClusterQueue": "made room for work that goes first",
    "InCohortReclamation": "gave back what its queue had borrowed",
    "InCohortFairSharing": "made room for another queue's fair share",
    "InCohortReclaimWhileBorrowing": "gave back what its queue had borrowed",
}
"""By the reason of the condition `Preempted`."""
MENDS = {
    "ExceedsMaxQuota": "this is more than the queue can ever give; ask for less hardware, or raise its quota",
    "NoMatchingFlavor": "no flavor of the queue has such nodes; correct hardware.gpu_type, or add a ResourceFlavor",
    "Misconfigured": "create what is missing; the job waits meanwhile",
    "Suspended": "it goes on when the queue is let go on",
}
"""By the reason of the condition `QuotaReserved`, where Kueue's UnadmittedWorkloadsObservability is on."""


def waits_in_queue(workload: Object | None, not_taken_in: str = "check that Kueue's controller runs") -> str:
    """Why a suspended run waits; `not_taken_in` is the mend where Kueue does not see it at all."""
    if workload is None:
        return f"waits for Kueue to take it in; if this lasts, {not_taken_in}"
    queue = workload["spec"].get("queueName", "")
    reserved, evicted = condition(workload, "QuotaReserved"), condition(workload, "Evicted")
    words = _unreserved(reserved) if reserved and reserved["status"] == "False" else "its turn"
    if evicted is not None and evicted["status"] == "True":
        return f"{_eviction(workload, evicted)}; it waits in queue {queue} to go on from where it was: {words}"
    return f"waits in queue {queue}: {words}"


def _unreserved(reserved: Object) -> str:
    words, mend = reserved.get("message", NO_REASON), MENDS.get(reserved.get("reason", ""))
    return f"{words}; {mend}" if mend else words


def _eviction(workload: Object, evicted: Object) -> str:
    reason, message = evicted.get("reason", ""), evicted.get("message", NO_REASON)
    if reason == "Preempted":
        preempted = condition(workload, "Preempted") or {}
        return MADE_ROOM.get(preempted.get("reason", ""), MADE_ROOM["InClusterQueue"])
    return f"was evicted ({reason}: {message})"


def deactivated(workload: Object) -> str:
    """Why an inactive workload ends its run."""
    evicted = condition(workload, "Evicted") or {}
    words = f"its workload {workload['metadata']['name']} was deactivated in Kueue"
    why = f" ({evicted['reason']}: {evicted.get('message', NO_REASON)})" if evicted.get("reason") else ""
    return f"{words}{why}; ask for the job again when it may run"


def true_condition(item: Object, kinds: Iterable[str]) -> Any:
    """The first of these conditions that is true."""
    found = (condition(item, kind) for kind in kinds)
    return next((each for each in found if each and each["status"] == "True"), None)


def condition(item: Object, kind: str) -> Any:
    """An object's condition of that type; None where it has none."""
    conditions = item.get("status", {}).get("conditions", [])
    return next((each for each in conditions if each["type"] == kind), None)

"""What must hold of every commit in the scheduler's database, whatever happened before.

Looks at rows before and after; changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from simulation.database.server import Change, Row, Server

Tell = Callable[[str, str], None]
HOLDING = frozenset({"requested", "running", "cancelling"})
ORDER = {"requested": 0, "running": 1, "settling": 2, "ended": 3}


class RowInvariants:
    """Told of each commit; tells of what it breaks."""

    def __init__(self, server: Server, capacity_cpus: float, tell: Tell) -> None:
        self._server, self._capacity, self._tell = server, capacity_cpus, tell
        self.ended_by: dict[str, set[str]] = {}
        self.asked: dict[tuple[str, int], str] = {}
        server.watchers.append(self.committed)

    def committed(self, changes: list[Change]) -> None:
        jobs_changed = False
        for table, key, before, after in changes:
            if after is None:
                continue
            if table == "experiments":
                self._experiment(str(key), before, after)
            elif table == "jobs":
                jobs_changed = True
                self._job(str(key), before, after)
            elif table == "wants":
                self._want(key, before, after)
            elif table == "outbox" and before is None:
                self._said(after, changes)
        if jobs_changed:
            self._capacity_holds()

    def _experiment(self, key: str, before: Row | None, after: Row) -> None:
        if before is None:
            return
        if ORDER[after["status"]] < ORDER[before["status"]]:
            self._tell("one terminal state", f"experiment {key} went back from {before['status']} to {after['status']}")
        if before["outcome"] is not None and (after["outcome"], after["result_ref"]) != (
            before["outcome"],
            before["result_ref"],
        ):
            self._tell("one terminal state", f"experiment {key} ended {before['outcome']}, then {after['outcome']}")
        if before["plan_ref"] is not None and after["plan_ref"] != before["plan_ref"]:
            self._tell("one plan", f"experiment {key} got a second plan")

    def _job(self, key: str, before: Row | None, after: Row) -> None:
        earlier = before or {"attempt": 0, "status": "waiting", "body": after["body"]}
        if after["attempt"] < earlier["attempt"]:
            self._tell("attempts only grow", f"job {key[:8]}: {earlier['attempt']}, then {after['attempt']}")
        if earlier["status"] == "succeeded" and (
            after["status"] != "succeeded" or after["body"]["result"] != earlier["body"]["result"]
        ):
            self._tell("success is final", f"job {key[:8]} succeeded, then was {after['status']} or had another result")
        if after["attempt"] > earlier["attempt"] and after["status"] in HOLDING and not self._wanted(key):
            self._tell("cancelled work stops", f"attempt {after['attempt']} of job {key[:8]} was asked for by nobody")

    def _wanted(self, key: str) -> bool:
        wants = self._server.tables["wants"].values()
        return any(want["job_key"] == key and want["job_end"] is None for want in wants)

    def _want(self, key: Any, before: Row | None, after: Row) -> None:
        if before is not None and before["job_end"] is not None and before["job_end"] != after["job_end"]:
            words = f"{before['job_end']['outcome']}, then {(after['job_end'] or {}).get('outcome')}"
            self._tell("one end for each want", f"experiment {key[0]}, job {key[1][:8]}: {words}")
        if before is None and self._server.tables["experiments"][key[0]]["status"] == "ended":
            self._tell("one terminal state", f"experiment {key[0]} wants a job after its end")

    def _said(self, row: Row, changes: list[Change]) -> None:
        topic, key = row["aggregatetype"], row["aggregateid"]
        if topic in ("experiment.completed", "experiment.rejected"):
            ids = self.ended_by.setdefault(key, set())
            ids.add(row["id"])
            if len(ids) > 1:
                self._tell("one completion", f"experiment {key} was ended by {len(ids)} different events")
            if not any(table == "experiments" and changed == key for table, changed, _, _ in changes):
                self._tell("events tell of effects", f"{topic} of {key} without its row")

    def _capacity_holds(self) -> None:
        held = sum(
            job["body"]["hardware"]["cpus"] * job["body"]["hardware"]["nodes"]
            for job in self._server.tables["jobs"].values()
            if job["status"] in HOLDING and job["kind"] != "selection"
        )
        if held > self._capacity + 1e-9:
            self._tell("capacity holds", f"jobs hold {held:g} cores of {self._capacity:g}")

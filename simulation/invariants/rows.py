"""What must hold of every commit in the scheduler's database, whatever happened before.

Looks at rows before and after; changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from simulation.database.server import Change, Row, Server
from simulation.workload import QUOTA_CPUS

Tell = Callable[[str, str], None]
UNREAD_S = 9.0
"""How long a sign of life may lie unread: the reconciler's own margin, a poll of each loop, and a slow statement."""
HOLDING = frozenset({"requested", "running", "cancelling"})
ORDER = {"requested": 0, "running": 1, "settling": 2, "ended": 3}


class AppliedOnce:
    """Of a service's commits: what came through its inbox was applied once."""

    def __init__(self, server: Server, tell: Tell) -> None:
        self._tell = tell
        self.applied: Counter[tuple[str, str]] = Counter()
        server.watchers.append(self.committed)

    def committed(self, changes: list[Change]) -> None:
        for table, key, _, event in changes:
            if table == "applied" and event is not None:
                self.applied[key] += 1
                if self.applied[key] > 1:
                    words = f"{event['type']} {key[1]} was applied {self.applied[key]} times"
                    self._tell("each event once", words)


class RowInvariants:
    """Told of each commit; tells of what it breaks."""

    def __init__(
        self, server: Server, capacity_cpus: float, lease_s: float, cancels: dict[str, str], tell: Tell
    ) -> None:
        self._server, self._capacity, self._tell = server, capacity_cpus, tell
        self._now, self._lease = server.now, timedelta(seconds=lease_s)
        self.cancels = cancels
        self.ended_by: dict[str, set[str]] = {}
        self.applied: Counter[tuple[str, str]] = Counter()
        self.last_heard: Callable[[str, int, datetime], bool] = lambda _key, _attempt, _until: False
        self.end_was_said: Callable[[str, int], bool] = lambda _key, _attempt: True
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
                self._stops(str(key), before, after, changes)
                self._lapses(str(key), before, after)
            elif table == "wants":
                self._want(key, before, after)
            elif table == "attempts" and before is not None:
                self._attempt(key, before, after)
            elif table == "outbox" and before is None:
                self._said(after, changes)
            elif table == "applied":
                self._applied(key, after)
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
        if after["cancelled"] and after["status"] == "running":
            self._tell("cancelled work stops", f"experiment {key} was cancelled, and goes on")
        if after["status"] in ("running", "ended") and after["lease_until"] is not None:
            self._tell("no lease on what nobody works on", f"experiment {key} is {after['status']} under a lease")

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

    def _attempt(self, key: tuple[str, int], before: Row, after: Row) -> None:
        """No attempt fails by the end of another: a topic tells of its own, unless its lease lapsed."""
        if before["outcome"] is not None or after["outcome"] not in ("failed", "lost"):
            return
        words = (after["error"] or {}).get("message", "")
        lapsed = "no sign of life" in words or words.startswith("lost ")
        if not lapsed and not self.end_was_said(*key):
            self._tell("an attempt ends by its own end", f"attempt {key[1]} of job {key[0][:8]}: {words[:60]}")

    def _stops(self, key: str, before: Row | None, after: Row, changes: list[Change]) -> None:
        if before is None or after["status"] != "cancelling" or before["status"] == "cancelling":
            return
        said = [row for table, _, _, row in changes if table == "outbox" and row is not None]
        if not any(row["type"] == "job.cancel.requested" and row["aggregateid"] == key for row in said):
            self._tell("cancelled work stops", f"job {key[:8]} is to stop, and nobody is told")

    def _lapses(self, key: str, before: Row | None, after: Row) -> None:
        """A lease may lapse only where no sign of life lies on the topic that could have been read by now."""
        if before is None or after["body"]["lost"] == before["body"]["lost"]:
            return
        error = after["body"]["error"] or {}
        if "no sign of life" in error.get("message", "") and self.last_heard(
            key, before["attempt"], self._could_know(key)
        ):
            self._tell(
                "the living are not lost", f"attempt {before['attempt']} of job {key[:8]} had shown signs of life"
            )
        heard = before["heartbeat_at"]
        if "no sign of life" in error.get("message", "") and heard and self._now() - heard < self._lease:
            self._tell("the living are not lost", f"attempt {before['attempt']} of job {key[:8]} was heard of just now")

    def _could_know(self, key: str) -> datetime:
        """Up to when whoever judges a row could know of signs of life: those that lay unread for a while when its lock
        came to be held. What comes to others after that is not written by them: a process that stands still with the
        lock and then goes on gives up an attempt that lives, which is fenced and resumed as any other."""
        committing = self._server.committing
        held_since = committing.held_since.get(("jobs", key)) if committing else None
        return (held_since or self._now()) - timedelta(seconds=UNREAD_S)

    def _applied(self, key: tuple[str, str], event: Row) -> None:
        self.applied[key] += 1
        if self.applied[key] > 1:
            self._tell("each event once", f"{event['type']} {key[1]} was applied {self.applied[key]} times")
        if event["type"] == "experiment.cancel.requested" and key[1].startswith("cancel-"):
            identity = self.cancels[key[1]]
            row = self._server.tables["experiments"].get(identity)
            if row is None or not (row["cancelled"] or row["status"] in ("settling", "ended")):
                self._tell("a cancel is remembered", f"experiment {identity[:8]} goes on after its cancel")

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
        held = sum(_cores(job) for job in self._server.tables["jobs"].values() if _takes_room(job))
        if held > self._capacity + 1e-9:
            self._tell("capacity holds", f"jobs hold {held:g} cores of {self._capacity:g}")
        for owner, most in QUOTA_CPUS.items():
            if (own := self._held_for(owner)) > most + 1e-9:
                self._tell("quotas hold", f"jobs of {owner} hold {own:g} cores of {most:g}")

    def _held_for(self, owner: str) -> float:
        attempts = self._server.tables["attempts"]
        return sum(
            _cores(job)
            for key, job in self._server.tables["jobs"].items()
            if _takes_room(job) and attempts[key, job["attempt"]]["owner"] == owner
        )


def _takes_room(job: Row) -> bool:
    return job["status"] in HOLDING and job["kind"] != "selection"


def _cores(job: Row) -> float:
    return float(job["body"]["hardware"]["cpus"] * job["body"]["hardware"]["nodes"])

"""What must hold of work and of what it leaves: once for each attempt, fenced, and never changed once referred to.

Looks at runs as they begin and at objects as they are written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from assay_schemas.canonical import sha256_hex

from simulation.database.server import Change, Server
from simulation.invariants.rows import Tell
from simulation.parts.compute import Cluster, Run
from simulation.parts.store import SimulatedStore


class WorkInvariants:
    """`was_said` answers whether a topic tells of the end of an attempt."""

    def __init__(
        self, clusters: dict[str, Cluster], server: Server, was_said: Callable[[str, int], bool], tell: Tell
    ) -> None:
        self._clusters, self._server, self._was_said, self._tell = clusters, server, was_said, tell
        self.starts: Counter[str] = Counter()
        for cluster in clusters.values():
            cluster.watchers.append(self._began)
            cluster.forgotten.append(self._forgotten)

    def _forgotten(self, run: Run) -> None:
        if not self._was_said(run.run.job_key, run.run.attempt):
            self._tell(
                "an end is said before it is forgotten", f"{run.name} was dropped, and no topic tells of its end"
            )

    def _began(self, run: Run) -> None:
        self.starts[run.name] += 1
        key, attempt = run.run.job_key, run.run.attempt
        if self.starts[run.name] > 1:
            self._tell("work once for each attempt", f"{run.name} was begun {self.starts[run.name]} times")
        for cluster in self._clusters.values():
            for other in cluster.working():
                same = other is not run and (other.run.kind, other.run.job_key) == (run.run.kind, key)
                if same and not other.cancel_asked and not other.state.ended and not run.cancel_asked:
                    self._tell("attempts are fenced", f"{run.name} began while {other.name} worked unasked to stop")
        job = self._server.tables["jobs"].get(key)
        if job is None or attempt > job["attempt"]:
            self._tell("work is asked for", f"{run.name} was never asked for")


class ObjectInvariants:
    """Whatever a committed row refers to is in the store as it was when it was referred to."""

    def __init__(self, store: SimulatedStore, server: Server, tell: Tell) -> None:
        self._store, self._tell = store, tell
        self._referred: dict[str, str] = {}
        server.watchers.append(self._committed)
        store.watchers.append(self._written)

    def _committed(self, changes: list[Change]) -> None:
        for table, _, _, row in changes:
            if row is None:
                continue
            if table == "experiments":
                self._refer(row["plan_ref"])
                self._refer(row["result_ref"])
            elif table == "jobs":
                self._refer(row["body"].get("result"))

    def _refer(self, reference: dict[str, Any] | None) -> None:
        if reference is None:
            return
        key = reference["uri"].removeprefix(self._store.root + "/")
        if self._referred.setdefault(key, reference["sha256"]) != reference["sha256"]:
            self._tell("references hold", f"two references to {key} differ")
        data = self._store.objects.get(key)
        if data is None or sha256_hex(data) != reference["sha256"]:
            self._tell("references hold", f"{key} is not what its reference says")

    def _written(self, key: str, data: bytes) -> None:
        if key in self._referred and sha256_hex(data) != self._referred[key]:
            self._tell("references hold", f"{key} was written again with other bytes after it was referred to")

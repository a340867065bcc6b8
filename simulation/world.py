"""One seed's world: simulated time, broker, databases, store and clusters, what is asked for, and who watches.

Nothing happens in it by itself: `life` lets it live, `processes` and `beside` act in it.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assay_schemas.envelope import Record
from assay_schemas.results import JobResult
from pydantic import TypeAdapter

from simulation.broken import Broken
from simulation.clock import SimulatedClock
from simulation.database import chassis_statements, reporter_statements, scheduler_statements
from simulation.database.server import Server
from simulation.database.sessions import Sessions
from simulation.faults import LEASE_S, Faults, Kind
from simulation.harm import Harm
from simulation.invariants.records import RecordInvariants
from simulation.invariants.rows import AppliedOnce, RowInvariants
from simulation.invariants.work import ObjectInvariants, WorkInvariants
from simulation.loop import SimulatedLoop
from simulation.parts.compute import Cluster
from simulation.parts.log import Log
from simulation.parts.reading import Reading
from simulation.parts.store import SimulatedStore
from simulation.points import Points
from simulation.workload import CAPACITY_CPUS, MOST_EXPERIMENTS, WORK_S, Workload

KEPT_LINES = 400
_RESULT: TypeAdapter[Any] = TypeAdapter(JobResult)


def _nowhere(_point: int) -> bool:
    return False


@dataclass(frozen=True)
class Options:
    """What of a seed is to happen: everything, unless a smaller version of it is looked for."""

    without: Collection[Kind] = ()
    only: Collection[int] | None = None
    most_experiments: int = MOST_EXPERIMENTS
    is_the_end: Callable[[int], bool] = field(default=_nowhere, compare=False)
    """Whether a process is killed at a fault point, by the point's number."""


@dataclass
class SimulatedWorld:
    seed: int
    options: Options = Options()
    broken: list[Broken] = field(default_factory=list)

    def __post_init__(self) -> None:
        random.seed(self.seed)
        self.loop = SimulatedLoop(self.seed)
        self.clock = SimulatedClock(self.loop)
        self.workload = Workload(self.seed, self.options.most_experiments)
        self.faults = Faults(
            self.seed,
            self.options.without,
            self.workload.favoured,
            self.workload.is_steady,
            self.options.only,
            now=self.loop.time,
            tell=self.note,
        )
        self.faults.bad_until = max(self.faults.bad_until, self.workload.bad_for_s)
        self.trace: deque[str] = deque(maxlen=KEPT_LINES)
        self._digest = hashlib.blake2b(digest_size=8)
        self.asked_all = False
        self.fell_at = 0.0
        self.harm = Harm()
        self.points = Points(self.options.is_the_end, self.harm)
        self.read = Reading()
        self.log = Log(self.loop, self.faults, self.points)
        self.store = SimulatedStore(self.loop, self.faults, self.points, self.harm)
        self.clusters = {
            name: Cluster(self.loop, self.faults, self.store, self.clock.now, work_s)
            for name, work_s in (("trainer", self.workload.training_s), ("evaluator", WORK_S))
        }
        self.servers = {
            name: Server(
                {**chassis_statements.TABLES, **own.TABLES},
                {**chassis_statements.STATEMENTS, **own.STATEMENTS},
                self.clock.true_now,
            )
            for name, own in (("scheduler", scheduler_statements), ("reporter", reporter_statements))
        }
        self.sessions = {
            name: Sessions(server, self.loop, self.faults, self.points, self.harm)
            for name, server in self.servers.items()
        }
        for one in self.sessions.values():
            one.tell = self.note
        self._watch()

    def _watch(self) -> None:
        scheduler = self.servers["scheduler"]
        self.rows = RowInvariants(scheduler, CAPACITY_CPUS, LEASE_S, self.workload.cancelled, self.tell)
        self.records = RecordInvariants(self.servers, self.read, self.tell)
        self.rows.last_heard = self._heard
        self.rows.end_was_said = self.records.end_was_said
        self.work = WorkInvariants(self.clusters, scheduler, self.records.end_was_said, self.tell)
        self.reported = AppliedOnce(self.servers["reporter"], self.tell)
        self.objects = ObjectInvariants(self.store, scheduler, self.tell)
        self.log.watchers.append(self.records.written)
        self.log.watchers.append(self._note_record)
        for cluster in self.clusters.values():
            cluster.watchers.append(lambda run: self.note(f"begins {run.name}"))

    def tell(self, invariant: str, words: str) -> None:
        self.broken.append(Broken(invariant, words, self.loop.time()))
        self.note(f"BROKEN: {invariant}: {words}")

    def note(self, words: str) -> None:
        line = f"{self.loop.time():9.3f}  {words}"
        self.trace.append(line)
        self._digest.update(line.encode())

    def digest(self) -> str:
        """Over all lines that were ever noted: two worlds with the same one went alike."""
        return self._digest.hexdigest()

    def _note_record(self, record: Record) -> None:
        key = (record.key or b"")[:8].decode(errors="replace")
        self.note(f"record {record.topic}/{record.partition}/{record.offset} {key}")

    def _heard(self, key: str, attempt: int, until: datetime) -> bool:
        now = self.clock.true_now().timestamp()
        # What a scheduler had taken and not written yet went with it; the next sign of life follows.
        since = max(now - LEASE_S + 1.0, self.fell_at)
        return self.records.signs_of_life(key, attempt, since, until.timestamp())

    def made_of(self, manifest: bytes) -> Any:
        return _RESULT.validate_json(manifest)

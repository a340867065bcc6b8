"""One seed's whole system: services as processes on simulated time, what people ask, the faults, and the invariants.

Never decides what is right; `invariants` do.
"""

from __future__ import annotations

import gc
import hashlib
import math
import random
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from assay_chassis.errors import BrokerUnavailable
from assay_schemas.envelope import Record
from assay_schemas.results import JobResult
from pydantic import TypeAdapter

from simulation.broken import Broken
from simulation.clock import SimulatedClock
from simulation.database import chassis_statements, reporter_statements, scheduler_statements
from simulation.database.server import Server
from simulation.database.sessions import Sessions
from simulation.faults import ABOUT_A_LEASE_S, AND_A_SESSION_S, PAST_A_LEASE_S, Faults, Kind
from simulation.invariants.ends import check_ends, is_quiet, unfinished
from simulation.invariants.read_model import check_reports, compare, rebuilt
from simulation.invariants.records import RecordInvariants
from simulation.invariants.rows import AppliedOnce, RowInvariants
from simulation.invariants.work import ObjectInvariants, WorkInvariants
from simulation.loop import Process, SimulatedLoop
from simulation.parts.broker import SimulatedBroker
from simulation.parts.compute import Cluster
from simulation.parts.log import SESSION_TIMEOUT_S, Log
from simulation.parts.reading import Reading
from simulation.parts.replacements import replaced
from simulation.parts.services import CAPACITY_CPUS, LEASE_S, SERVICES
from simulation.parts.store import SimulatedStore
from simulation.points import Points
from simulation.workload import MOST_EXPERIMENTS, WORK_S, Asked, Workload

PATIENCE_S = 600.0
"""Within this time after the last fault everything asked for must have ended."""
LOOKS_EVERY_S = 0.25
"""How often it is asked whether all is quiet."""
KEPT_LINES = 400
MOST_REPLICAS = 3
KEPT_S = 20.0
"""How long topics keep records, where everybody has read them."""
MOST_STOPPED_S = 40.0
LEAST_OFF_S, MOST_OFF_S = LEASE_S, 40.0
"""By how much a clock jumps: past a lease, and less than the longer one of an attempt that never spoke."""
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
class Outcome:
    """How a seed went. `trace` are its last lines, `digest` is over all of them."""

    seed: int
    broken: list[Broken]
    trace: list[str]
    digest: str
    steps: int
    seconds: float
    faults: dict[str, int]
    strikes: int
    experiments: int
    attempts: int
    processor_s: float
    points: dict[str, int]
    """Fault points that were come to, by kind."""
    killed: str


@dataclass
class SimulatedWorld:
    seed: int
    options: Options = Options()
    broken: list[Broken] = field(default_factory=list)

    def __post_init__(self) -> None:
        random.seed(self.seed)
        self._began_s = time.process_time()
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
        self._looks_at = 0.0
        self.fell_at = 0.0
        self.points = Points(self.options.is_the_end, self.kill)
        self.read = Reading()
        self.log = Log(self.loop, self.faults, self.points)
        self.store = SimulatedStore(self.loop, self.faults, self.points)
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
            name: Sessions(server, self.loop, self.faults, self.points, self.kill)
            for name, server in self.servers.items()
        }
        self.processes: dict[str, Process] = {}
        self.store.stop = self._stop
        for one in self.sessions.values():
            one.stop, one.tell = self._stop, self.note
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

    # What invariants and faults tell.

    def tell(self, invariant: str, words: str) -> None:
        self.broken.append(Broken(invariant, words, self.loop.time()))
        self.note(f"BROKEN: {invariant}: {words}")

    def note(self, words: str) -> None:
        line = f"{self.loop.time():9.3f}  {words}"
        self.trace.append(line)
        self._digest.update(line.encode())

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

    # Processes.

    @cached_property
    def replicas(self) -> dict[str, int]:
        draw = random.Random(f"replicas {self.seed}")
        return {name: draw.choice((1, 2, 2) if name == "scheduler" else (1, 1, 2)) for name in SERVICES}

    def _begin_all(self) -> None:
        for name, count in self.replicas.items():
            for number in range(count):
                self._begin(name, f"{name}-{number}", 0)
        self.loop.spawn(self.loop.outside, self._ask())
        self.loop.spawn(self.loop.outside, self._strike())

    def _begin(self, service: str, name: str, life: int) -> None:
        process = self.loop.process(f"{name}.{life}")
        self.processes[name] = process
        self.note(f"starts {process.name}")
        self.loop.spawn(process, self._serve(service, name, process, life))

    async def _serve(self, service: str, name: str, process: Process, life: int) -> None:
        try:
            await SERVICES[service](self)
        except SystemExit:
            self.note(f"{process.name} ends itself")
        self._bury(process)
        self._restart(service, name, life, self.faults.between("replica ends", 0.5, 30.0))

    def _fell(self, process: Process) -> None:
        if process.name.startswith("scheduler"):
            self.fell_at = self.clock.true_now().timestamp()

    def _bury(self, process: Process) -> None:
        self._fell(process)
        self.loop.kill(process)
        for sessions in self.sessions.values():
            sessions.process_died(process)
        for group in self.log.groups.values():
            for member in [one for one in group.members if one.process is process]:
                self.loop.later(SESSION_TIMEOUT_S, group.expire, member)

    def _restart(self, service: str, name: str, life: int, delay: float | None = None) -> None:
        if delay is None:
            delay = self.faults.between("process killed", 0.5, 8.0)
        self.loop.later(delay, self._begin, service, name, life + 1)

    def kill(self, process: Process, words: str = "") -> None:
        """kill -9; its supervisor starts it again."""
        if not process.alive:
            return
        self.note(f"killed {process.name} {words}")
        self._bury(process)
        name, _, life = process.name.rpartition(".")
        self._restart(name.rpartition("-")[0], name, int(life))

    # What happens beside the services.

    async def _ask(self) -> None:
        broker = SimulatedBroker(self.log, self.clock)
        for one in self.workload.asked:
            await self.loop.sleep(max(0.0, one.at - self.loop.time()))
            self.note(f"asks: {one.what} {one.event.key[:8] if one.event else one.topic}")
            await self._patiently(broker, one)
        self.asked_all = True

    async def _patiently(self, broker: SimulatedBroker, one: Asked) -> None:
        while True:
            try:
                if one.event is not None:
                    await broker.publish(one.event)
                else:
                    await broker.send(Record(topic=one.topic, key=b"?", value=one.value))
            except BrokerUnavailable:
                await self.loop.sleep(0.3)
            else:
                return

    async def _strike(self) -> None:
        """Faults that come by themselves, once a second for each process."""
        while self.loop.time() < self.faults.bad_until:
            await self.loop.sleep(1.0)
            for name in sorted(self.processes):
                process = self.processes[name]
                if self.faults.strikes_now("process killed", process.name):
                    self.kill(process)
                elif self.faults.strikes_now("process stopped", process.name):
                    self._stop(process, "process stopped")
                elif process.ask_to_end is not None and self.faults.strikes_now("replica ends", process.name):
                    self.loop.call_in(process, process.ask_to_end)
                elif self.faults.strikes_now("clock jumps", process.name):
                    self._set_clock(process)
            if self._trains() and self.faults.strikes_now("every trainer stopped"):
                self._stop_trainers()
            for service in SERVICES:
                number = self.replicas[service]
                if number < MOST_REPLICAS and self.faults.strikes_now("replica comes", service):
                    self.replicas[service] = number + 1
                    self._begin(service, f"{service}-{number}", 0)
            if self.faults.strikes_now("old records dropped"):
                self.log.drop_before(self.loop.time() - KEPT_S)
            for group in self.log.groups.values():
                if self.faults.strikes_now("rebalance", group.name):
                    group.rebalance()

    def _set_clock(self, process: Process) -> None:
        """Its machine's time of day jumps, and is set right again some time later."""
        off_s = self.faults.between("clock jumps", -1.0, 1.0) * (MOST_OFF_S - LEAST_OFF_S)
        process.clock_off_s = math.copysign(LEAST_OFF_S, off_s) + off_s
        self.loop.later(self.faults.between("clock jumps", 10.0, 60.0), setattr, process, "clock_off_s", 0.0)

    def _trainers(self) -> list[Process]:
        return [self.processes[name] for name in sorted(self.processes) if name.startswith("trainer")]

    def _trains(self) -> bool:
        """Whether a run works and somebody may say so."""
        awake = all(one.stopped_until <= self.loop.time() for one in self._trainers())
        return awake and bool(self.clusters["trainer"].working())

    def _stop_trainers(self) -> None:
        """All replicas stand still for as long: nobody speaks for the runs, which go on."""
        seconds = self.faults.between("every trainer stopped", *PAST_A_LEASE_S)
        for process in self._trainers():
            self._stand_still(process, seconds)

    def _stop(self, process: Process, kind: Kind) -> None:
        self._stand_still(process, self.faults.lasting(kind, MOST_STOPPED_S, (ABOUT_A_LEASE_S, AND_A_SESSION_S)))

    def _stand_still(self, process: Process, seconds: float) -> None:
        self._fell(process)
        self.loop.stop_process(process, seconds)
        for sessions in self.sessions.values():
            sessions.process_stopped(process)
        for group in self.log.groups.values():
            for member in [one for one in group.members if one.process is process]:
                self.loop.later(SESSION_TIMEOUT_S, group.expire, member)

    # Running.

    def run(self) -> Outcome:
        """The whole life of this world. Whatever breaks ends it. Until `clear_away` nothing is collected."""
        gc.disable()
        try:
            with replaced(self):
                self.loop.call_in(self.loop.outside, self._begin_all)
                quiet = self.loop.run_until(self._done, self.faults.bad_until + PATIENCE_S)
                made = self._rebuilt() if quiet and not self.broken else None
            if not self.broken and not quiet:
                self.tell("nothing waits for ever", "; ".join(unfinished(self)[:12]) or "nothing is under way")
            elif made is not None:
                check_ends(self)
                check_reports(self)
                compare(self, made)
        finally:
            self.loop.close()
        return self._outcome()

    def _rebuilt(self) -> Server | None:
        """The reporter's read model, made again from the log; None where something broke meanwhile."""
        work = self.loop.spawn(self.loop.outside, rebuilt(self))
        self.loop.run_until(lambda: work.done() or bool(self.broken), self.loop.time() + PATIENCE_S)
        if work.done():
            return work.result()
        if not self.broken:
            self.tell("nothing waits for ever", "the read model that is made again from the log")
        return None

    def _done(self) -> bool:
        if self.broken:
            return True
        if self.loop.time() < max(self._looks_at, self.faults.bad_until):
            return False
        self._looks_at = self.loop.time() + LOOKS_EVERY_S
        return is_quiet(self)

    def _outcome(self) -> Outcome:
        return Outcome(
            seed=self.seed,
            broken=self.broken,
            trace=list(self.trace),
            digest=self._digest.hexdigest(),
            steps=self.loop.steps,
            seconds=self.loop.time(),
            faults=dict(self.faults.struck),
            strikes=self.faults.strikes,
            experiments=len(self.workload.experiments),
            attempts=len(self.servers["scheduler"].tables["attempts"]),
            processor_s=time.process_time() - self._began_s,
            points=self.points.kinds,
            killed=self.points.killed,
        )


def simulate(seed: int, options: Options | None = None) -> Outcome:
    """One seed, from its first event to quiet, or to the first broken promise."""
    outcome = SimulatedWorld(seed, options or Options()).run()
    clear_away()
    return outcome


@cache
def _freeze_once() -> None:
    """What is left after the first seed is the product itself, which need not be looked through again."""
    gc.freeze()


def clear_away() -> None:
    """What dead processes held is collected here, where nobody minds that their coroutines end in the middle."""
    heard = sys.unraisablehook
    let_them_lie()
    try:
        gc.collect()
        _freeze_once()
        gc.enable()
    finally:
        sys.unraisablehook = heard


def let_them_lie() -> None:
    """Say nothing of coroutines that end in the middle: their processes are dead."""
    warnings.filterwarnings("ignore", message="coroutine .* was never awaited")
    sys.unraisablehook = lambda _: None

"""A cluster of GPUs in simulated time: ready jobs are let in by the real policy, run as long as the estimate says,
and are evicted now and then. Never decides who goes first."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from assay_scheduler.policy import UNLIMITED, Candidate, Resources, Situation, admit, need_of, takes_a_slot
from assay_schemas.experiments import PRIORITIES, Priority
from assay_schemas.results import PlannedJob

from benchmarks.company.demand import Demand

CHECKPOINT_H = 0.5
EVICTIONS_A_GPU_YEAR = 2.0
USAGE_WINDOW = timedelta(hours=1)
HOURS_A_YEAR = 8760.0


@dataclass
class Job:
    """A job that at least one experiment wants. `left_h` is what remains to be done; times are simulated."""

    planned: PlannedJob
    need: Resources
    hours: float
    owner: str
    priority: Priority
    since: datetime
    left_h: float
    needs: set[str] = field(default_factory=set)
    ready_at: datetime | None = None
    started_at: datetime | None = None
    first_started_at: datetime | None = None
    ended: bool = False
    runs: int = 0

    @property
    def slot(self) -> bool:
        return takes_a_slot(self.planned.kind)


@dataclass
class Record:
    """What a year comes to. Waits are hours from ready to first start, by priority."""

    held_gpu_h: float = 0.0
    lost_gpu_h: float = 0.0
    saved_gpu_h: float = 0.0
    evictions: int = 0
    jobs: int = 0
    reused: int = 0
    done: int = 0
    admissions: int = 0
    longest_queue: int = 0
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    by_owner: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class Cluster:
    """`gpus` GPUs and as many cores and memory as anybody could want. `tick` is the least time between two looks."""

    def __init__(self, gpus: int, seed: int, start: datetime, tick: timedelta) -> None:
        self.record = Record()
        self.now = start
        self._capacity = Resources(UNLIMITED, gpus, UNLIMITED)
        self._chance = random.Random(seed)
        self._tick = tick
        self._jobs: dict[str, Job] = {}
        self._dependents: dict[str, list[str]] = defaultdict(list)
        self._ready: dict[str, Candidate] = {}
        self._taken = Resources()
        self._ends: list[tuple[datetime, str, int, bool]] = []
        self._recent: deque[tuple[datetime, datetime, str, float]] = deque()
        self._running: dict[str, Job] = {}
        self._open: dict[str, tuple[Demand, set[str]]] = {}
        self._wanted: dict[str, list[str]] = defaultdict(list)
        self._turn = 0
        self._looked_at = start - tick
        self._changed = False

    def take(self, demand: Demand) -> None:
        """An experiment is asked for: new jobs are made, finished ones reused, running ones joined."""
        self.run_until(demand.at)
        missing = set[str]()
        for planned in demand.plan.jobs:
            self.record.jobs += 1
            known = self._jobs.get(planned.key)
            if known is not None:
                self.record.reused += 1
                self.record.saved_gpu_h += known.hours * known.need.gpus
                known.priority = max(known.priority, demand.plan.spec.priority, key=PRIORITIES.index)
            else:
                self._add(planned, demand)
            if not self._jobs[planned.key].ended:
                missing.add(planned.key)
                self._wanted[planned.key].append(demand.plan.experiment_id)
        self._open[demand.plan.experiment_id] = (demand, missing)
        self._settle([demand.plan.experiment_id])

    def run_until(self, moment: datetime) -> None:
        """Everything that ends before, and every look at the queue that follows from it."""
        while True:
            look = max(self.now, self._looked_at + self._tick) if self._ready and self._changed else None
            end = self._ends[0][0] if self._ends else None
            following = min((time for time in (look, end) if time is not None), default=None)
            if following is None or following > moment:
                break
            self.now = following
            if end is not None and end <= following:
                self._end(*heapq.heappop(self._ends)[1:])
            else:
                self._look()
        self.now = moment

    def _add(self, planned: PlannedJob, demand: Demand) -> None:
        need = need_of(planned.kind, demand.hardware(planned.kind), getattr(planned.inputs, "policy", None))
        hours = demand.hours(planned.inputs) * self._chance.uniform(0.8, 1.3) if takes_a_slot(planned.kind) else 0.0
        spec = demand.plan.spec
        job = Job(planned, need, hours, demand.plan.owner, spec.priority, demand.at, hours)
        job.needs = {key for key in planned.depends_on if not self._jobs[key].ended}
        self._jobs[planned.key] = job
        for key in job.needs:
            self._dependents[key].append(planned.key)
        if not job.needs:
            self._make_ready(planned.key, job)

    def _make_ready(self, key: str, job: Job) -> None:
        if not job.slot:
            self._finish(key, job)
            return
        job.ready_at = self.now
        self._changed = True
        self._ready[key] = Candidate(key, job.need, job.priority, job.owner, job.since, self.now)

    def _look(self) -> None:
        self._looked_at, self._changed = self.now, False
        self.record.longest_queue = max(self.record.longest_queue, len(self._ready))
        situation = Situation(self._capacity, self._taken, self.now, self._usage(), turn=self._turn)
        found = admit(list(self._ready.values()), situation)
        self._turn = found.turn
        self.record.admissions += len(found.admitted)
        for key in found.admitted:
            self._start(key, self._jobs[key])

    def _start(self, key: str, job: Job) -> None:
        del self._ready[key]
        self._taken = self._taken + job.need
        job.started_at, job.runs = self.now, job.runs + 1
        if job.first_started_at is None:
            job.first_started_at = self.now
            self.record.waits[job.priority].append(_hours(self.now - (job.ready_at or self.now)))
        self._running[key] = job
        evicted_after = self._chance.expovariate(EVICTIONS_A_GPU_YEAR * max(job.need.gpus, 1) / HOURS_A_YEAR)
        whole = evicted_after >= job.left_h
        end = self.now + timedelta(hours=job.left_h if whole else evicted_after)
        heapq.heappush(self._ends, (end, key, job.runs, whole))

    def _end(self, key: str, run: int, whole: bool) -> None:
        job = self._running.pop(key)
        assert (job.runs, job.started_at is not None) == (run, True)
        held = _hours(self.now - (job.started_at or self.now))
        self._taken, self._changed = self._taken - job.need, True
        self.record.held_gpu_h += held * job.need.gpus
        self.record.by_owner[job.owner] += held * job.need.gpus
        self._recent.append((job.started_at or self.now, self.now, job.owner, job.need.share_of(self._capacity)))
        if whole:
            self._finish(key, job)
            return
        kept = held // CHECKPOINT_H * CHECKPOINT_H if job.planned.kind == "training" else 0.0
        job.left_h -= kept
        self.record.evictions += 1
        self.record.lost_gpu_h += (held - kept) * job.need.gpus
        self._make_ready(key, job)

    def _finish(self, key: str, job: Job) -> None:
        job.ended = True
        for other in self._dependents.pop(key, []):
            waiting = self._jobs[other]
            waiting.needs.discard(key)
            if not waiting.needs:
                self._make_ready(other, waiting)
        self._settle(self._wanted.pop(key, []), key)

    def _settle(self, experiments: Iterable[str], key: str = "") -> None:
        for identity in experiments:
            demand, missing = self._open.get(identity, (None, None))
            if demand is None or missing is None:
                continue
            missing.discard(key)
            if not missing:
                del self._open[identity]
                self.record.done += 1
                self.record.answers[demand.plan.spec.priority].append(_hours(self.now - demand.at))

    def _usage(self) -> dict[str, float]:
        """Shares × seconds of the last hour by owner, as the scheduler reads them from its attempts."""
        since, used = self.now - USAGE_WINDOW, dict[str, float]()
        while self._recent and self._recent[0][1] <= since:
            self._recent.popleft()
        running = [(job.started_at or self.now, self.now, job.owner, job.need.share_of(self._capacity))
                   for job in self._running.values()]  # fmt: skip
        for began, ended, owner, share in [*self._recent, *running]:
            used[owner] = used.get(owner, 0.0) + share * max(0.0, (ended - max(began, since)).total_seconds())
        return used


def _hours(time: timedelta) -> float:
    return time.total_seconds() / 3600

"""A cluster that runs jobs on simulated time, and the backend through which a service sees it.

Runs outlive the services that submitted them; some are slow, deaf, lost, or finish when nobody expects it any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from assay_chassis.compute.base import Cause, JobRun, RunState, RunStatus, kind_in, of_job, older_attempts
from assay_chassis.compute.errors import BackendUnavailable, RunStillActive, RunUnknown
from assay_chassis.job_service.records import completion_key, manifest_bytes
from assay_schemas.artifacts import manifest_key

from simulation.faults import Faults, Kind
from simulation.loop import SimulatedLoop
from simulation.parts.store import SimulatedStore
from simulation.parts.work import manifest_of, request_of

MOST_AWAY_S = 45.0
"""Longer than a lease: what runs meanwhile is given up, and may yet end well."""
SLOWEST_S = 48.0
STEPS = 10
FATES: tuple[Kind, ...] = ("job lost", "job fails", "job fails for good")


@dataclass
class Run:
    """One run on the cluster: what is known of it, and whether its code still runs."""

    run: JobRun
    state: RunState = RunState.QUEUED
    working: bool = False
    cancel_asked: bool = False
    deaf_for: float = 0.0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    end: dict[str, Any] = field(default_factory=dict)
    progress: int = 0
    seen: RunStatus | None = None

    @property
    def name(self) -> str:
        return self.run.name

    def becomes(self, state: RunState, **end: Any) -> None:
        self.state, self.end, self.seen = state, end, None

    def status(self) -> RunStatus:
        if self.seen is None:
            self.seen = RunStatus(
                name=self.name,
                run=self.run,
                state=self.state,
                started_at=self.started_at,
                ended_at=self.ended_at,
                progress={"step": self.progress, "total": STEPS},
                progress_sequence=self.progress,
                **self.end,
            )
        return self.seen


class Cluster:
    """Every run there ever was. `watchers` are told of each run that begins to work."""

    def __init__(
        self,
        loop: SimulatedLoop,
        faults: Faults,
        store: SimulatedStore,
        now: Callable[[], datetime],
        work_s: tuple[float, float],
    ) -> None:
        self.loop, self.faults, self.store, self.now, self._work_s = loop, faults, store, now, work_s
        self.runs: dict[str, Run] = {}
        self.every: list[Run] = []
        self.away_until = 0.0
        self.watchers: list[Callable[[Run], None]] = []
        self.forgotten: list[Callable[[Run], None]] = []
        """Told of each run that a service drops."""

    def working(self) -> list[Run]:
        return [one for one in self.every if one.working]

    def take(self, run: JobRun) -> None:
        if run.name in self.runs:
            return
        taken = Run(run)
        self.runs[run.name] = taken
        self.every.append(taken)
        self.loop.spawn(self.loop.outside, self._live(taken))

    def cancel(self, name: str) -> None:
        found = self.runs.get(name)
        if found is not None and not found.state.ended and not found.cancel_asked:
            found.cancel_asked = True
            if self.faults.strikes_now("job deaf", name):
                found.deaf_for = self.faults.between("job deaf", 5.0, 40.0)

    async def _live(self, run: Run) -> None:
        draw, faults = self.loop.random, self.faults
        await self.loop.sleep(draw.uniform(0.05, 1.5))
        if run.cancel_asked:
            self._end(run, RunState.CANCELLED, cause=Cause.CANCELLED, reason="cancelled before it started")
            return
        run.started_at = self.now()
        if self._has_ended(run):
            self._end(run, RunState.SUCCEEDED)
            return
        run.working = True
        run.becomes(RunState.RUNNING)
        for watcher in self.watchers:
            watcher(run)
        left = draw.uniform(*self._work_s)
        if faults.strikes_now("job slow", run.name):
            left = min(left * faults.between("job slow", 2.0, 8.0), SLOWEST_S)
        fate = next((one for one in FATES if faults.strikes_now(one, run.name)), None)
        if fate is not None:
            left *= faults.between(fate, 0.0, 1.0)
        await self._work(run, left)
        self._conclude(run, fate)

    def _has_ended(self, run: Run) -> bool:
        """Workers look first whether their attempt's end is written."""
        key, attempt = run.run.job_key, run.run.attempt
        return any(
            record in self.store.objects for record in (manifest_key(key, attempt), completion_key(key, attempt))
        )

    async def _work(self, run: Run, work_s: float) -> None:
        """In ten steps, until the work is done, or until a cancel is heeded."""
        done_s, step_s = 0.0, work_s / STEPS
        while done_s < work_s:
            await self.loop.sleep(min(1.0, work_s - done_s))
            done_s += 1.0
            if run.cancel_asked:
                run.deaf_for -= 1.0
                if run.deaf_for <= 0:
                    return
            if int(done_s / step_s) > run.progress:
                run.progress, run.seen = int(done_s / step_s), None

    def _conclude(self, run: Run, fate: str | None) -> None:
        heeded = run.cancel_asked and run.deaf_for <= 0
        if fate == "job lost" and not heeded:
            self._vanish(run)
        elif heeded:
            self._end(run, RunState.CANCELLED, cause=Cause.CANCELLED, reason="cancelled")
        elif fate is not None:
            final = fate == "job fails for good"
            error_class = "diverged" if final else "flaky"
            self._end(
                run,
                RunState.FAILED,
                cause=Cause.ERROR,
                reason="it broke",
                error_class=error_class,
                retryable=not final,
            )
        else:
            self._succeed(run)
            self._end(run, RunState.SUCCEEDED)

    def _vanish(self, run: Run) -> None:
        """Its keeper is gone; the work itself may still go on for a while, and even succeed."""
        unseen = self.faults.strikes_now("job finishes unseen", run.name)
        run.becomes(RunState.LOST, cause=Cause.LOST, reason="its keeper is gone")
        run.ended_at = self.now()
        if not unseen:
            run.working = False
            return

        def finish() -> None:
            self._succeed(run)
            run.working = False

        self.loop.later(self.faults.between("job finishes unseen", 0.5, 20.0), finish)

    def _succeed(self, run: Run) -> None:
        request = request_of(run.run.kind, run.run.payload)
        manifest = manifest_of(request, self.store.root, self.now())
        self.store.keep(manifest_key(request.job_key, request.attempt), manifest_bytes(manifest))

    def _end(self, run: Run, state: RunState, **end: Any) -> None:
        run.working = False
        run.ended_at = self.now()
        run.becomes(state, **end)


class ClusterBackend:
    """A `ComputeBackend`: one service's client of the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def _travel(self) -> None:
        cluster = self._cluster
        await cluster.loop.sleep(cluster.loop.random.uniform(0.001, 0.005))
        if cluster.faults.strikes_now("backend unavailable"):
            cluster.away_until = cluster.loop.time() + cluster.faults.lasting("backend unavailable", MOST_AWAY_S)
        if cluster.loop.time() < cluster.away_until:
            raise BackendUnavailable("simulated", "does not answer", "wait")

    async def start(self) -> None:
        """Nothing is to be found: the cluster knows its runs."""

    def when_a_run_ends(self, wake: Callable[[], None]) -> None:
        """Nothing: a hint must not be needed."""

    async def submit(self, run: JobRun) -> None:
        await self._travel()
        self._cluster.take(run)
        if self._cluster.faults.strikes_now("submission unheard", run.name):
            raise BackendUnavailable("simulated", "took the run, and its answer was lost", "wait")

    async def status(self, name: str) -> RunStatus:
        await self._travel()
        return self._known(name).status()

    async def cancel(self, name: str) -> None:
        await self._travel()
        self._cluster.cancel(name)

    async def stop_older(self, kind: str, job_key: str, attempt: int) -> list[str]:
        older = older_attempts(await self.attempts(kind, job_key), attempt)
        for name in older:
            await self.cancel(name)
        return older

    async def logs(self, name: str, tail: int | None = 100) -> str:  # noqa: ARG002
        self._known(name)
        return ""

    async def forget(self, name: str) -> None:
        await self._travel()
        found = self._cluster.runs.get(name)
        if found is not None and not found.state.ended:
            raise RunStillActive(name)
        if self._cluster.runs.pop(name, None) is not None and found is not None:
            for watcher in self._cluster.forgotten:
                watcher(found)

    async def close(self) -> None:
        """Runs go on."""

    async def shutdown(self) -> None:
        """Runs go on: a cluster is not stopped by its clients."""

    async def names(self, kind: str) -> set[str]:
        await self._travel()
        return {name for name in self._cluster.runs if kind_in(name) == kind}

    async def attempts(self, kind: str, job_key: str) -> list[RunStatus]:
        return of_job(await self.list(), kind, job_key)

    async def list(self) -> list[RunStatus]:
        await self._travel()
        return [self._cluster.runs[name].status() for name in sorted(self._cluster.runs)]

    def _known(self, name: str) -> Run:
        if name not in self._cluster.runs:
            raise RunUnknown(name)
        return self._cluster.runs[name]

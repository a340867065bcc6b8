"""Watches the runs of a job service: says how far each is and, once, how it ended.
Never starts or stops a run. A run is forgotten only when its end is stored and published."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

import structlog
from assay_schemas.envelope import Event
from assay_schemas.events import JobCompleted
from assay_schemas.ids import JobKind, event_id

from assay_chassis import tracing
from assay_chassis.clock import Clock
from assay_chassis.compute.base import ComputeBackend, JobRun, RunStatus
from assay_chassis.job_service.completions import completion_event, ended, succeeded
from assay_chassis.job_service.job_type import JobType
from assay_chassis.job_service.live_logs import LiveLogs
from assay_chassis.job_service.progress import ProgressPolicy, progressed
from assay_chassis.job_service.records import JobRecords
from assay_chassis.object_store.errors import ObjectNotFound
from assay_chassis.publishing import Publisher, make_event
from assay_chassis.retry import is_transient

PROGRESS_TOPIC = "job.progressed"
LIVE_POLL_S = 0.2
LONGEST_PAUSE_S = 1.0
MOST_AT_ONCE = 1_000
"""Signs of life in one look: making more would hold up everything else for too long."""
IDLE_POLL_S = 30.0
RETRY_S = 2.0
CORRELATION = "correlation"
log = structlog.get_logger(__name__)


def correlation_of(run: JobRun) -> str:
    """What the event that asked for the run belongs to: an experiment, mostly."""
    return run.labels.get(CORRELATION, "")


def _span_of(status: RunStatus, outcome: str) -> AbstractContextManager[None]:
    """The span of a run from its start to now, below that of the request for it."""
    run = status.run
    return tracing.span(
        f"{run.kind} job",
        correlation=correlation_of(run),
        parent=run.labels.get(tracing.LABEL, ""),
        started=status.started_at,
        job=run.job_key,
        attempt=run.attempt,
        outcome=outcome,
    )


class Monitor:
    """One loop over every run the backend knows, also of an earlier life of the service."""

    def __init__(
        self,
        *,
        source: str,
        types: Mapping[JobKind, JobType],
        backend: ComputeBackend,
        records: JobRecords,
        publisher: Publisher,
        clock: Clock,
        lock: asyncio.Lock,
    ) -> None:
        self._source = source
        self._types = types
        self._backend = backend
        self._records = records
        self._publisher = publisher
        self._clock = clock
        self._lock = lock
        self._policy = ProgressPolicy()
        self._live_logs = LiveLogs(backend, records, clock)
        self._not_before: dict[str, float] = {}
        self._away_until = 0.0
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Look now: a run was submitted or cancelled, or has ended."""
        self._woken.set()

    async def run(self) -> None:
        """Look for ever: often while runs are live, else every 30 s for what another replica left."""
        while True:
            self._woken.clear()
            began = self._clock.monotonic()
            live = await self.sweep()
            took = self._clock.monotonic() - began
            if live:
                # Where there are many, requests have at least as much of this process as the look at all runs.
                await asyncio.sleep(min(max(LIVE_POLL_S / 4, took), LONGEST_PAUSE_S))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LIVE_POLL_S if live else IDLE_POLL_S)

    async def sweep(self) -> int:
        """Look at every run once; how many are still to be watched.

        Signs of life come first and need no object store: while it is away, one end a look finds that out."""
        runs = [status for status in await self._backend.list() if status.run.kind in self._types]
        live = [status for status in runs if not status.state.ended]
        if signs := self._signs_of(live):
            await self._publisher.publish(*signs)
        left = sum(status.state.ended for status in runs)
        for status in runs:
            if status.state.ended:
                left -= await self._end_safely(status)
        await self._live_logs.show(live)
        return len(live) + left

    def _type_of(self, status: RunStatus) -> JobType:
        return next(known for kind, known in self._types.items() if kind == status.run.kind)

    def _signs_of(self, live: Sequence[RunStatus]) -> list[Event]:
        """What is to be said now: of many, first of those that waited longest."""
        now = self._clock.monotonic()
        self._policy.live = len(live)
        due = sorted((status for status in live if self._policy.due(status, now)), key=self._policy.last_said)
        return [self._progress(status, now) for status in due[:MOST_AT_ONCE]]

    def _progress(self, status: RunStatus, now: float) -> Event:
        self._policy.said(status, now)
        payload = progressed(self._type_of(status).kind, status, self._clock.now())
        identity = event_id(PROGRESS_TOPIC, payload.job_key, payload.attempt, payload.sequence)
        return make_event(
            PROGRESS_TOPIC,
            payload,
            key=payload.job_key,
            source=self._source,
            id=identity,
            correlation=correlation_of(status.run),
        )

    async def _end_safely(self, status: RunStatus) -> bool:
        """Whether the run's end is now known to everyone. A failure is logged and tried again soon; where something
        is away, that is soon enough for all others, too."""
        if self._clock.monotonic() < max(self._away_until, self._not_before.get(status.name, 0.0)):
            return False
        try:
            async with self._lock:
                await self._end(self._type_of(status), status)
        except Exception as error:
            log.exception("the end of a run could not be published yet", run=status.name)
            self._not_before[status.name] = self._clock.monotonic() + RETRY_S
            if is_transient(error):
                self._away_until = self._not_before[status.name]
            return False
        self._policy.forget(status.name)
        self._live_logs.forget(status.name)
        self._not_before.pop(status.name, None)
        return True

    async def _end(self, job_type: JobType, status: RunStatus) -> None:
        run = status.run
        found = await self._records.manifest(job_type, run.job_key, run.attempt)
        completion = await self._said_before(job_type, run) if found is None else None
        if completion is None:
            log_text = await self._backend.logs(status.name, tail=None)
            await self._records.write_log(run.job_key, run.attempt, log_text)
            if found is not None:
                completion = succeeded(job_type, run.attempt, *found)
            else:
                completion = ended(job_type, status, self._clock.now())
            await self._records.write_completion(completion)
        with _span_of(status, completion.outcome):
            said = completion_event(job_type, completion, self._source, correlation_of(run))
        await self._publisher.publish(said)
        await self._backend.forget(status.name)

    async def _said_before(self, job_type: JobType, run: JobRun) -> JobCompleted | None:
        """How the attempt ended, where that is written: a run that began after it found that and did nothing."""
        try:
            return await self._records.completion(job_type, run.job_key, run.attempt)
        except ObjectNotFound:
            return None

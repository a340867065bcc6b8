"""The handlers of a job service: takes requests and cancels, and hands work to the backend at once.
Never waits for a job: the monitor beside it sees how each one ends."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay_schemas.envelope import Event
from assay_schemas.events import JobCancelRequested, JobCompleted
from assay_schemas.ids import JobKey
from assay_schemas.jobs import JobError, JobRequest, job_key
from assay_schemas.problems import in_one_line
from pydantic import BaseModel, Field, ValidationError

from assay_chassis import tracing
from assay_chassis.clock import Clock
from assay_chassis.compute.base import ComputeBackend, JobRun, Resources, run_name
from assay_chassis.compute.errors import ResourcesUnavailable
from assay_chassis.compute.shared import SharedRuns
from assay_chassis.errors import Refused
from assay_chassis.job_service.completions import cancelled, completion_event, failed, succeeded
from assay_chassis.job_service.failures import JobFailed
from assay_chassis.job_service.job_type import Inline, JobType
from assay_chassis.job_service.monitor import CORRELATION, Monitor
from assay_chassis.job_service.records import JobRecords, KnownEnds, write_manifest
from assay_chassis.object_store.base import ObjectStore
from assay_chassis.publishing import Publisher

if TYPE_CHECKING:
    from assay_chassis.app import ServiceApp

CANCEL_TOPIC = "job.cancel.requested"
MAX_MESSAGE = 4000


@dataclass(frozen=True)
class _Asked:
    """A request with the run that is to be started for it."""

    job_type: JobType
    request: JobRequest
    run: JobRun
    event: Event


class _Named(BaseModel):
    """Which attempt a request is for: all that a refusal needs of it."""

    job_key: JobKey
    attempt: int = Field(ge=1, le=2**31 - 1)


class JobService:
    """Runs jobs of the given types. The backend holds the runs whose end is not yet known to be published."""

    def __init__(
        self,
        *,
        source: str,
        types: Iterable[JobType],
        backend: ComputeBackend,
        store: ObjectStore,
        publisher: Publisher,
        clock: Clock,
        most_together: int = 1,
    ) -> None:
        """`most_together`: jobs in one run, where they keep company; above 1, `backend` is to be SharedRuns."""
        self._most_together = most_together
        self._source = source
        self._types = {job_type.kind: job_type for job_type in types}
        self._backend = backend
        self._store = store
        self._records = JobRecords(store)
        self._publisher = publisher
        self._clock = clock
        self._lock = asyncio.Lock()
        self.monitor = Monitor(
            source=source,
            types=self._types,
            backend=backend,
            records=self._records,
            publisher=publisher,
            clock=clock,
            lock=self._lock,
        )

    @classmethod
    def of(
        cls, app: ServiceApp, backend: ComputeBackend, types: Iterable[JobType], most_together: int = 1
    ) -> JobService:
        """The service of an app: its handlers and its monitor are registered with the app."""
        service = cls(
            source=app.name,
            types=types,
            backend=backend,
            store=app.store,
            publisher=app.publisher,
            clock=app.clock,
            most_together=most_together,
        )
        for job_type in service._types.values():
            if job_type.shared_entrypoint and most_together > 1:
                app.delivery.on_several([job_type.request_topic], service.requested_together)
            else:
                app.on(job_type.request_topic, service.requested)
        app.on(CANCEL_TOPIC, service.cancel_requested)
        backend.when_a_run_ends(service.monitor.wake)
        app.background("monitor", service.monitor.run)
        return service

    async def requested(self, event: Event) -> None:
        """An attempt is asked for. Raises Refused for a request that cannot be read or contradicts itself."""
        job_type = self._type_of(event)
        try:
            request = _read(job_type, event)
        except Refused as error:
            await self._refuse(job_type, event, str(error))
            raise
        async with self._lock:
            run = await self._run_for(job_type, request, event)
            if run is not None:
                await self._submit(job_type, request, run, event)

    async def requested_together(self, events: Sequence[Event]) -> None:
        """Attempts that were asked for at the same time: those that keep company share runs, `most_together` in one.

        Raises Refused where one of them cannot be read, with nothing done."""
        if len(events) == 1:
            await self.requested(events[0])
            return
        read = [(self._type_of(event), event) for event in events]
        requests = [(job_type, _read(job_type, event), event) for job_type, event in read]
        async with self._lock:
            companies: dict[str, list[_Asked]] = {}
            for job_type, request, event in requests:
                run = await self._run_for(job_type, request, event)
                if run is not None:
                    company = job_type.company(request) or run.name
                    companies.setdefault(company, []).append(_Asked(job_type, request, run, event))
            for asked in companies.values():
                for start in range(0, len(asked), self._most_together):
                    await self._submit_together(asked[start : start + self._most_together])

    async def _submit_together(self, asked: Sequence[_Asked]) -> None:
        """One run for all; where it cannot be had, each is told so by itself."""
        if isinstance(self._backend, SharedRuns) and len(asked) > 1:
            with contextlib.suppress(ResourcesUnavailable):
                entrypoint = asked[0].job_type.shared_entrypoint
                await self._backend.submit_together([one.run for one in asked], entrypoint)
                self.monitor.wake()
                return
        for one in asked:
            await self._submit(one.job_type, one.request, one.run, one.event)

    def _type_of(self, event: Event) -> JobType:
        job_type = next((found for found in self._types.values() if found.request_topic == event.type), None)
        if job_type is None:
            raise Refused(f"type: {event.type!r} asks for a job that this service does not do")
        return job_type

    async def _refuse(self, job_type: JobType, event: Event, why: str) -> None:
        """Fail the attempt that an unusable request still names, so that nobody waits for it until its lease ends.

        An attempt that is known already came with a request that could be read: that one counts."""
        try:
            named = _Named.model_validate(event.data)
        except ValidationError:
            return
        async with self._lock:
            ends = await self._records.ends(named.job_key)
            known = await self._backend.attempts(job_type.kind, named.job_key)
            if _has_ended(ends, named.attempt) or any(status.run.attempt >= named.attempt for status in known):
                return
            message = f"{self._source} cannot use the request for this job: {why}"[:MAX_MESSAGE]
            error = JobError.of("bad_input", message, retryable=False)
            ended = failed(job_type, named.job_key, named.attempt, error, self._clock.now())
            await self._conclude(job_type, ended, event)

    async def _run_for(self, job_type: JobType, request: JobRequest, event: Event) -> JobRun | None:
        """The run that is still to be started for a request; None where the job is over, or was done on the spot."""
        key, attempt = request.job_key, request.attempt
        ends = await self._records.ends(key)
        known = await self._backend.attempts(job_type.kind, key)
        if max([ends.newest, *(status.run.attempt for status in known)]) > attempt and not ends.succeeded:
            return None
        await self._backend.stop_older(job_type.kind, key, attempt)
        if ends.succeeded:
            await self._complete_with(job_type, request, ends.succeeded[-1], event)
        elif attempt in ends.completed:
            await self._publish(job_type, await self._records.completion(job_type, key, attempt), event)
        elif inline := job_type.inline_for(request):
            await self._do_inline(job_type, inline, request, event)
        else:
            return self._as_run(job_type, request, event)
        return None

    def _as_run(self, job_type: JobType, request: JobRequest, event: Event) -> JobRun:
        hardware = request.hardware
        return JobRun(
            kind=job_type.kind,
            job_key=request.job_key,
            attempt=request.attempt,
            entrypoint=job_type.entrypoint,
            payload=event.data,
            version=job_type.version_of(request),
            resources=Resources(
                cpus=max(1, math.ceil(hardware.cpus)),
                memory_gib=hardware.memory_gib,
                gpus=hardware.gpus,
                gpu_type=hardware.gpu_type,
                nodes=hardware.nodes,
            ),
            deadline_s=request.deadline_s,
            labels={
                CORRELATION: event.correlationid,
                "priority": request.priority,
                "owner": request.owner,
                **tracing.labels_for(event),
            },
        )

    async def _submit(self, job_type: JobType, request: JobRequest, run: JobRun, event: Event) -> None:
        try:
            await self._backend.submit(run)
        except ResourcesUnavailable as error:
            await self._fail(job_type, request, JobError.of("bad_input", str(error), retryable=False), event)
        else:
            self.monitor.wake()

    async def _do_inline(self, job_type: JobType, inline: Inline, request: JobRequest, event: Event) -> None:
        try:
            manifest = await inline(request)
        except JobFailed as error:
            await self._fail(job_type, request, error.as_error(), event)
        else:
            # Two replicas may answer the same request: with the request's time they write the same bytes.
            manifest = manifest.model_copy(update={"completed_at": event.time})
            reference = await write_manifest(self._store, manifest)
            await self._publish(job_type, succeeded(job_type, request.attempt, reference, manifest), event)

    async def _complete_with(self, job_type: JobType, request: JobRequest, attempt: int, event: Event) -> None:
        found = await self._records.manifest(job_type, request.job_key, attempt)
        assert found is not None
        await self._publish(job_type, succeeded(job_type, request.attempt, *found), event)

    async def _fail(self, job_type: JobType, request: JobRequest, error: JobError, event: Event) -> None:
        ended = failed(job_type, request.job_key, request.attempt, error, self._clock.now())
        await self._conclude(job_type, ended, event)

    async def _conclude(self, job_type: JobType, completion: JobCompleted, event: Event) -> None:
        await self._records.write_completion(completion)
        await self._publish(job_type, completion, event)

    async def _publish(self, job_type: JobType, completion: JobCompleted, event: Event) -> None:
        await self._publisher.publish(completion_event(job_type, completion, self._source, cause=event))

    async def cancel_requested(self, event: Event) -> None:
        """Stop a job's attempts. A cancel that comes before its request is remembered in the object store."""
        try:
            cancel = JobCancelRequested.model_validate(event.data)
        except ValidationError as error:
            raise Refused(f"data: not a cancel request: {in_one_line(error)}") from error
        job_type = self._types.get(cancel.kind)
        if job_type is None:
            return
        async with self._lock:
            await self._cancel(job_type, cancel, event)

    async def _cancel(self, job_type: JobType, cancel: JobCancelRequested, event: Event) -> None:
        names = [
            status.name
            for status in await self._backend.attempts(job_type.kind, cancel.job_key)
            if (cancel.attempt or math.inf) >= status.run.attempt
        ]
        for name in names:
            await self._backend.cancel(name)
        self.monitor.wake()
        if cancel.attempt is None or run_name(cancel.kind, cancel.job_key, cancel.attempt) in names:
            return
        ends = await self._records.ends(cancel.job_key)
        if not _has_ended(ends, cancel.attempt):
            ended = cancelled(job_type, cancel.job_key, cancel.attempt, self._clock.now())
            await self._conclude(job_type, ended, event)


def _read(job_type: JobType, event: Event) -> JobRequest:
    try:
        request = job_type.request.model_validate(event.data)
    except ValidationError as error:
        raise Refused(f"data: not a request for a {job_type.kind} job: {in_one_line(error)}") from error
    inputs = getattr(request, "inputs")  # noqa: B009  every request has them, each kind its own
    if job_key(inputs) != request.job_key:
        raise Refused("data.job_key: is not the digest of data.inputs; compute it with assay_schemas.jobs.job_key")
    return request


def _has_ended(ends: KnownEnds, attempt: int) -> bool:
    return bool(ends.succeeded) or ends.newest >= attempt

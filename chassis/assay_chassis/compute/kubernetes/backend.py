"""Runs jobs on Kubernetes behind Kueue: a suspended Job or RayJob for each run, its records in the object store.
Never decides who goes first: Kueue does, by queue, quota and priority."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

from assay_chassis.clock import Clock, SystemClock
from assay_chassis.compute.base import JobRun, RunStatus, job_name_of, of_job, older_attempts
from assay_chassis.compute.environments import OWN_ONLY, Environments
from assay_chassis.compute.errors import BackendUnavailable, ResourcesUnavailable, RunStillActive, RunUnknown
from assay_chassis.compute.kubernetes.cluster import Cluster
from assay_chassis.compute.kubernetes.judging import end_record, last_word, status_of
from assay_chassis.compute.kubernetes.known import Judged, Known, KnownRuns
from assay_chassis.compute.kubernetes.local_queue import Reading
from assay_chassis.compute.kubernetes.manifest import MARGIN_S, job_manifest, job_name
from assay_chassis.compute.kubernetes.ray_job import check_machines, ray_job_manifest
from assay_chassis.compute.kubernetes.seeing import Failure, Place, Seen
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from assay_chassis.compute.kubernetes.stored import CANCEL, READS_AT_ONCE, SUBMITTED, Stored, StoredRuns
from assay_chassis.log_excerpt import excerpt
from assay_chassis.object_store.base import ObjectStore

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}-[a-z0-9]{16}-[1-9][0-9]*")
SHUTDOWN_POLL_S = 0.2
POD_LINES = 20_000
UNMOVING = (Place.WAITING, Place.STARTING)
"""Where a run's records say nothing new."""
NOT_SUBMITTED = "not given to the cluster yet: it is tried again when the API server answers"


class KubernetesBackend:
    """A ComputeBackend on one namespace. `store` must be one that the pods reach too.

    `environments` says which image a run of another version than the service's own has.
    `environment` goes into the manifests of the pods: never put a secret there.
    A running run's records are read again after `refresh_s`."""

    def __init__(
        self,
        settings: KubernetesSettings,
        service: str,
        store: ObjectStore,
        *,
        environment: Mapping[str, str] | None = None,
        grace_s: float = 10.0,
        refresh_s: float = 2.0,
        clock: Clock | None = None,
        environments: Environments = OWN_ONLY,
    ) -> None:
        self.grace_s = grace_s
        self._settings = settings
        self._environments = environments
        self._service = service
        self._environment = {"ASSAY_OBJECT_STORE": store.root, **(environment or {})}
        self._store = store
        self._runs = StoredRuns(store, service)
        self._refresh_s = refresh_s
        self._clock = clock or SystemClock()
        self._known = KnownRuns()
        self._connected: Cluster | None = None

    @property
    def _cluster(self) -> Cluster:
        if self._connected is None:
            raise BackendUnavailable("kubernetes", "not started", "await start() first")
        return self._connected

    async def start(self) -> None:
        """Raises ClusterMisconfigured for what the cluster lacks, and BackendUnavailable."""
        if self._connected is not None:
            return
        self._connected = await Cluster.connect(self._settings, self._service, self._clock)
        for stored in await self._runs.every():
            self._known.add(Known(stored, self._clock.monotonic()))
            if not stored.submitted and not stored.cancel_asked:
                # What can be given no more is dropped: its request is not settled, comes again and is refused.
                with suppress(ResourcesUnavailable):
                    await self._give_to_cluster(stored.run)

    async def close(self) -> None:
        if self._connected is not None:
            await self._connected.close()
        self._connected = None
        self._known.clear()
        await self._store.aclose()

    def when_a_run_ends(self, wake: Callable[[], None]) -> None:
        """Nothing: pods are looked at every few seconds."""

    async def submit(self, run: JobRun) -> None:
        check_machines(run, self._settings)
        self._environments.image(run)
        stored = await self._runs.load(run.name)
        if stored is None:
            await self._cluster.check_fits(run)
            await self._runs.create(run)
            stored = Stored(run)
        self._known.add(Known(stored, self._clock.monotonic()))
        if not stored.submitted and not stored.cancel_asked:
            await self._give_to_cluster(run)

    async def _give_to_cluster(self, run: JobRun) -> None:
        try:
            image = self._environments.image(run) or self._settings.image
            settings = self._settings.model_copy(update={"image": image})
            translate = ray_job_manifest if run.machines > 1 else job_manifest
            await self._cluster.create(run, translate(run, self._service, settings, self._environment, self.grace_s))
        except ResourcesUnavailable:
            await self._runs.remove(run.name)
            self._known.drop(run.name)
            raise
        await self._runs.mark(run.name, SUBMITTED)
        known = self._known.get(run.name)
        if known is not None:
            known.stored = replace(known.stored, submitted=True)

    async def status(self, name: str) -> RunStatus:
        known = await self._know(name)
        if known is None:
            raise RunUnknown(name)
        return await self._status(known)

    async def cancel(self, name: str) -> None:
        known = await self._know(name) if NAME.fullmatch(name) else None
        if known is None or known.ended is not None or known.stored.has_ended:
            return
        await self._runs.mark(name, CANCEL)
        known.stored = replace(known.stored, cancel_asked=True)
        await self._cluster.delete(known.stored.run)

    async def stop_older(self, kind: str, job_key: str, attempt: int) -> list[str]:
        older = older_attempts(await self.attempts(kind, job_key), attempt)
        for name in older:
            await self.cancel(name)
        return older

    async def logs(self, name: str, tail: int | None = 100) -> str:
        """The log in the object store once the run ended or was interrupted, its pod's output before that.

        Where it printed nothing, as when it cannot start, what the cluster says of its Job and its last pod.
        A run on several machines has its log mirrored there: its pods' output is Ray's."""
        known = await self._know(name)
        if known is None:
            raise RunUnknown(name)
        seen = self._cluster.look(name).seen
        text = None
        if seen.pod_name is not None and not known.stored.has_ended and known.stored.run.machines == 1:
            text = await self._cluster.logs(seen.pod_name, POD_LINES if tail is None else tail)
        if text is None:
            text = await self._runs.log(name)
        if not text and known.stored.submitted:
            pod = seen.pod_name or known.pod_name
            text = await self._cluster.events([job_name(name), *([pod] if pod else [])])
        if tail is None:
            return excerpt(BytesIO((text or "").encode()))
        return "\n".join((text or "").splitlines()[-tail:]) if tail > 0 else ""

    async def forget(self, name: str) -> None:
        known = await self._know(name) if NAME.fullmatch(name) else None
        if known is None:
            return
        if not (await self.status(name)).state.ended:
            raise RunStillActive(name)
        await self._cluster.delete(known.stored.run)
        await self._runs.remove(name)
        self._known.drop(name)

    async def shutdown(self) -> None:
        active = [status.name for status in await self.list() if not status.state.ended]
        for name in active:
            await self.cancel(name)
        give_up = time.monotonic() + self.grace_s + MARGIN_S
        while time.monotonic() < give_up:
            if all(status.state.ended for status in await self.list() if status.name in active):
                break
            await asyncio.sleep(SHUTDOWN_POLL_S)
        await self.close()

    async def _know(self, name: str) -> Known | None:
        """What is remembered of a run, or read now. Names come from events: one of another form names nothing."""
        if name not in self._known and NAME.fullmatch(name):
            stored = await self._runs.load(name)
            if stored is not None:
                self._known.add(Known(stored, self._clock.monotonic()))
        return self._known.get(name)

    async def _status(self, known: Known) -> RunStatus:
        """An ended run never changes: it is judged once, until it is forgotten."""
        if known.ended is not None:
            return known.ended
        name = known.stored.run.name
        known.look = look = self._cluster.look(name, known.look)
        known.pod_name = look.seen.pod_name or known.pod_name
        await self._read_again(known, look.seen)
        if look.seen.place is Place.ABSENT and known.stored.submitted:
            # It may have been given to the cluster since that was looked at, and must not be taken for lost.
            known.look = look = self._cluster.look(name, look)
        failure = last_word(known.stored, look.seen) or self._gave_up(known, look.seen)
        if failure is not None:
            await self._end(known, failure)
        quota = await self._cluster.stay_fresh(known.stored.run) if look.seen.place is Place.WAITING else None
        never = self._cluster.never_fits(known.stored.run) if look.seen.place is Place.WAITING else None
        status = status_of(known.stored, _in_words(known.stored, look.seen, never))
        if status.state.ended:
            known.ended = status
        elif look.seen.place in UNMOVING and look.seen.blocked is None:
            known.judged = Judged(status, known.stored, look, quota, never)
        return status

    def _unchanged(self, known: Known, quotas: Mapping[str, Reading | None]) -> RunStatus | None:
        """The status of before, where nothing that it came from can have changed: most of many runs wait."""
        judged = known.judged
        if known.ended is not None or judged is None:
            return known.ended
        known.look = self._cluster.look(known.stored.run.name, known.look)
        if judged.stored is not known.stored or judged.look is not known.look:
            return None
        quota = quotas.get(self._settings.queue_of(known.stored.run)) if judged.quota is not None else None
        if judged.quota is not quota:
            # Another quota seldom says something else of a run: then most of many would be judged anew for nothing.
            if self._cluster.never_fits(known.stored.run) != judged.never:
                return None
            known.judged = replace(judged, quota=quota)
        return judged.status

    async def _read_again(self, known: Known, seen: Seen) -> None:
        """The records, where they may have changed: often while it runs, and once when it moved."""
        now, before = self._clock.monotonic(), known.seen
        moved = before is not None and (before.place, before.pod) != (seen.place, seen.pod)
        if (moved or before is None) and seen.place in (Place.ABSENT, Place.ENDED):
            known.stored = await self._runs.load(known.stored.run.name) or known.stored
            known.read_at = now
        elif moved or (seen.place is Place.RUNNING and now - known.read_at >= self._refresh_s):
            known.stored = await self._runs.refresh(known.stored)
            known.read_at = now
        known.seen = seen

    def _gave_up(self, known: Known, seen: Seen) -> Failure | None:
        """What keeps the pod from starting, once it has lasted too long."""
        if seen.blocked is None:
            known.blocked_since = None
            return None
        now = self._clock.monotonic()
        known.blocked_since = now if known.blocked_since is None else known.blocked_since
        return seen.blocked if now - known.blocked_since >= self._settings.start_patience_s else None

    async def _end(self, known: Known, failure: Failure) -> None:
        """Say how the run ended, for its pod never will, and take it off the cluster."""
        name, end = known.stored.run.name, end_record(failure, self._clock.now().timestamp())
        await self._runs.write_end(name, end)
        known.stored = replace(known.stored, end=end)
        with suppress(BackendUnavailable):
            await self._cluster.delete(known.stored.run)

    async def _statuses(self, names: Sequence[str]) -> list[RunStatus]:
        at_once, quotas = asyncio.Semaphore(READS_AT_ONCE), await self._cluster.quotas()

        async def status_of_one(name: str) -> RunStatus | None:
            async with at_once:
                known = await self._know(name)
                return await self._status(known) if known is not None else None

        found: dict[str, RunStatus | None] = {}
        for name in names:
            known = self._known.get(name)
            found[name] = self._unchanged(known, quotas) if known is not None else None
        changed = [name for name, status in found.items() if status is None]
        found.update(zip(changed, await asyncio.gather(*map(status_of_one, changed)), strict=True))
        return [status for status in found.values() if status is not None]

    async def names(self, kind: str) -> set[str]:
        return {*self._known.having(kind), *self._cluster.runs(kind)}

    async def attempts(self, kind: str, job_key: str) -> list[RunStatus]:
        name = job_name_of(kind, job_key)
        found = await self._statuses(sorted({*self._known.having(name), *self._cluster.runs(name)}))
        return of_job(found, kind, job_key)

    async def list(self) -> list[RunStatus]:
        return await self._statuses(sorted(self._known.names() | set(self._cluster.runs())))


def _in_words(stored: Stored, seen: Seen, never: str | None) -> Seen:
    """With all that is known of what it waits for; `never` is why it would wait for ever."""
    if not stored.submitted and not stored.cancel_asked:
        return replace(seen, waits_for=NOT_SUBMITTED)
    return replace(seen, waits_for=f"{seen.waits_for}; {never}") if never else seen

"""A backend whose runs may each stand for several jobs; whoever asks it sees every job as a run of its own.
Never decides which jobs go together. What a restart must know lies in the backend beneath: members are in a payload."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from assay_chassis.compute.base import (
    ComputeBackend,
    JobRun,
    RunStatus,
    job_name_of,
    kind_in,
    of_job,
    older_attempts,
    without_attempt,
)
from assay_chassis.compute.errors import RunUnknown
from assay_chassis.compute.members import KIND, member_status, members_of, shared_run

AskToEnd = Callable[[JobRun], Awaitable[None]]


class SharedRuns:
    """A ComputeBackend over another. `ask_to_end` leaves word for a run's process that a member is not wanted."""

    def __init__(self, beneath: ComputeBackend, ask_to_end: AskToEnd) -> None:
        self._beneath = beneath
        self._ask_to_end = ask_to_end
        self._forgotten: set[str] = set()
        self._unwanted: set[str] = set()
        self._members: dict[str, list[JobRun]] = {}
        # In which run each attempt has a place, by job.
        self._sharing: dict[str, dict[str, str]] = {}
        # Runs of which no member is asked for any more, and which may not have ended yet.
        self._left: set[str] = set()

    async def start(self) -> None:
        await self._beneath.start()

    async def close(self) -> None:
        await self._beneath.close()

    async def shutdown(self) -> None:
        await self._beneath.shutdown()

    def when_a_run_ends(self, wake: Callable[[], None]) -> None:
        self._beneath.when_a_run_ends(wake)

    async def submit(self, run: JobRun) -> None:
        await self.submit_together([run], run.entrypoint)

    async def submit_together(self, runs: Sequence[JobRun], entrypoint: str) -> None:
        """Take runs as the members of one, done by `entrypoint`; those known already are left out.

        Raises ResourcesUnavailable, with none of them taken."""
        fresh = list({run.name: run for run in runs if not await self._has(run)}.values())
        self._forgotten -= {run.name for run in fresh}
        if len(fresh) == 1:
            await self._beneath.submit(fresh[0])
        elif fresh:
            await self._beneath.submit(shared_run(fresh, entrypoint))

    async def _has(self, run: JobRun) -> bool:
        return any(status.name == run.name for status in await self.attempts(run.kind, run.job_key))

    def _members_of(self, shared: RunStatus) -> list[JobRun]:
        """Read once: every poll asks for them, and a payload never changes."""
        if shared.name not in self._members:
            self._members[shared.name] = members_of(shared.run.payload)
            for member in self._members[shared.name]:
                self._sharing.setdefault(without_attempt(member.name), {})[member.name] = shared.name
        return self._members[shared.name]

    def _drop(self, shared: str) -> None:
        """Know no more of a run that is gone."""
        self._left.discard(shared)
        for member in self._members.pop(shared, ()):
            self._forgotten.discard(member.name)
            job = without_attempt(member.name)
            places = {name: run for name, run in self._sharing.pop(job, {}).items() if run != shared}
            if places:
                self._sharing[job] = places

    def _seen(self, status: RunStatus) -> list[RunStatus]:
        if status.run.kind != KIND:
            return [status]
        members = self._members_of(status)
        return [member_status(status, one) for one in members if one.name not in self._forgotten]

    async def status(self, name: str) -> RunStatus:
        shared = await self._shared_by(name)
        if shared is None:
            return await self._beneath.status(name)
        found = next((member for member in self._seen(shared) if member.name == name), None)
        if found is None:
            raise RunUnknown(name)
        return found

    async def cancel(self, name: str) -> None:
        """A member that shares its run is asked to end alone; the run itself once no member is wanted."""
        shared = await self._shared_by(name)
        if shared is None:
            await self._beneath.cancel(name)
            return
        members = self._seen(shared)
        member = next((one for one in members if one.name == name), None)
        if member is None or member.state.ended:
            return
        await self._ask_to_end(member.run)
        self._unwanted.add(name)
        if all(one.state.ended or one.name in self._unwanted for one in members):
            await self._beneath.cancel(shared.name)

    async def stop_older(self, kind: str, job_key: str, attempt: int) -> list[str]:
        older = older_attempts(await self.attempts(kind, job_key), attempt)
        for name in older:
            await self.cancel(name)
        return older

    async def logs(self, name: str, tail: int | None = 100) -> str:
        shared = await self._shared_by(name)
        return await self._beneath.logs(shared.name if shared else name, tail)

    async def forget(self, name: str) -> None:
        """A shared run is dropped once it has ended and all of its members are forgotten."""
        shared = await self._shared_by(name)
        if shared is None:
            await self._beneath.forget(name)
        else:
            self._forgotten.add(name)
            self._unwanted.discard(name)
            if not self._seen(shared):
                self._left.add(shared.name)
        for left in tuple(self._left):
            status = await self._status_beneath(left)
            if status is None or status.state.ended:
                await self._beneath.forget(left)
                self._drop(left)

    async def _shared_by(self, name: str) -> RunStatus | None:
        """The shared run with this member, if any."""
        shared = await self._places_of(without_attempt(name))
        return await self._status_beneath(shared[name]) if name in shared else None

    async def _places_of(self, job: str) -> dict[str, str]:
        """In which runs a job's attempts have places."""
        await self._look()
        return dict(self._sharing.get(job, {}))

    async def _look(self) -> None:
        """Learn which shared runs there are, also of those that another process has submitted."""
        before = set(self._members)
        names = await self._beneath.names(KIND)
        for gone in before - names:
            self._drop(gone)
        for name in names - self._members.keys():
            status = await self._status_beneath(name)
            if status is not None:
                self._members_of(status)

    async def _status_beneath(self, name: str) -> RunStatus | None:
        with suppress(RunUnknown):
            return await self._beneath.status(name)
        return None

    async def names(self, kind: str) -> set[str]:
        alone = await self._beneath.names(kind)
        await self._look()
        members = {member.name for members in self._members.values() for member in members}
        return alone | {name for name in members - self._forgotten if kind_in(name) == kind}

    async def attempts(self, kind: str, job_key: str) -> list[RunStatus]:
        found = await self._beneath.attempts(kind, job_key)
        for shared in set((await self._places_of(job_name_of(kind, job_key))).values()):
            status = await self._status_beneath(shared)
            found += of_job(self._seen(status), kind, job_key) if status is not None else []
        return found

    async def list(self) -> list[RunStatus]:
        found: list[RunStatus] = []
        for status in await self._beneath.list():
            found += self._seen(status)
        return found

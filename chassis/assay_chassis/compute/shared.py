"""A backend whose runs may each stand for several jobs; whoever asks it sees every job as a run of its own.
Never decides which jobs go together. What a restart must know lies in the backend beneath: members are in a payload."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from assay_chassis.compute.base import ComputeBackend, JobRun, RunStatus, older_attempts
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

    async def start(self) -> None:
        await self._beneath.start()

    async def close(self) -> None:
        await self._beneath.close()

    async def shutdown(self) -> None:
        await self._beneath.shutdown()

    async def submit(self, run: JobRun) -> None:
        await self.submit_together([run], run.entrypoint)

    async def submit_together(self, runs: Sequence[JobRun], entrypoint: str) -> None:
        """Take runs as the members of one, done by `entrypoint`; those known already are left out.

        Raises ResourcesUnavailable, with none of them taken."""
        known = {status.name for status in await self.list()}
        fresh = list({run.name: run for run in runs if run.name not in known}.values())
        self._forgotten -= {run.name for run in fresh}
        if len(fresh) == 1:
            await self._beneath.submit(fresh[0])
        elif fresh:
            await self._beneath.submit(shared_run(fresh, entrypoint))

    def _members_of(self, shared: RunStatus) -> list[JobRun]:
        """Read once: every poll asks for them, and a payload never changes."""
        if shared.name not in self._members:
            self._members[shared.name] = members_of(shared.run.payload)
        return self._members[shared.name]

    def _seen(self, status: RunStatus) -> list[RunStatus]:
        if status.run.kind != KIND:
            return [status]
        members = self._members_of(status)
        return [member_status(status, one) for one in members if one.name not in self._forgotten]

    async def status(self, name: str) -> RunStatus:
        found = next((status for status in await self.list() if status.name == name), None)
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
        older = older_attempts(await self.list(), kind, job_key, attempt)
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
        for status in await self._beneath.list():
            if status.run.kind == KIND and status.state.ended and not self._seen(status):
                await self._beneath.forget(status.name)
                # Another call may have dropped it meanwhile.
                self._forgotten -= {member.name for member in self._members.pop(status.name, ())}

    async def _shared_by(self, name: str) -> RunStatus | None:
        """The shared run with this member, if any."""
        for status in await self._beneath.list():
            if status.run.kind == KIND and any(one.name == name for one in self._members_of(status)):
                return status
        return None

    async def list(self) -> list[RunStatus]:
        found: list[RunStatus] = []
        for status in await self._beneath.list():
            found += self._seen(status)
        return found

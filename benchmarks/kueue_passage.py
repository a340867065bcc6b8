"""The way of many jobs through a backend, for `kueue_scale`: submitted, looked at, let in, forgotten when they ended.
Says every minute how far it is, so that a run that is cut says something too."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from assay_chassis.compute import BackendUnavailable, JobRun, RunStatus
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.compute.kubernetes.queueing import waits_in_queue

LOOK_S, MINUTE_S = 1.0, 60.0
BEFORE, SUBMITTED, TAKEN_IN, END = "before", "all submitted", "all taken in by Kueue", "at the end"
NOT_TAKEN_IN = waits_in_queue(None)


def run_of(number: int) -> JobRun:
    key = hashlib.sha256(str(number).encode()).hexdigest()
    priority = ("LOW", "MED", "HIGH")[number % 3]
    return JobRun(kind="training", job_key=key, attempt=1, entrypoint="none:none", labels={"priority": priority})


@dataclass(frozen=True)
class Spent:
    """What the programs had taken by then, by name: seconds of processor time, and the MiB that they held."""

    cpu_s: dict[str, float]
    rss_mib: dict[str, float]


@dataclass(frozen=True)
class Moment:
    """What had been reached and spent by then."""

    at_s: float
    submitted: int
    through: int
    spent: Spent


@dataclass(frozen=True)
class Look:
    """One list of all that is known: when it began, how long it took, and how many there were."""

    at_s: float
    took_s: float
    known: int


@dataclass
class Passage:
    """The way of all jobs: submitted by some tasks, looked at by one, forgotten when they ended.

    It ends when `enough` went through or the time is over. `spent` gives what was spent until now; `let_in` is called
    when Kueue has taken all in; `tell` gets a line every minute."""

    backend: KubernetesBackend
    jobs: int
    enough: int
    at_once: int
    limit_s: float
    spent: Callable[[], Spent]
    let_in: Callable[[], None]
    tell: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)
    moments: dict[str, Moment] = field(default_factory=dict)
    minutes: list[Moment] = field(default_factory=list)
    looks: dict[str, list[Look]] = field(default_factory=dict)
    lags_s: list[float] = field(default_factory=list)
    submitted: int = 0
    tried_again: int = 0
    through: int = 0
    known_at_most: int = 0

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def _moment(self) -> Moment:
        return Moment(self.now, self.submitted, self.through, self.spent())

    def _mark(self, name: str) -> None:
        self.moments[name] = self._moment()
        self.tell(f"{self.now:.0f} s, {name}: {self.submitted} submitted, {self.through} through")

    async def pass_all(self) -> None:
        """Until enough went through, or the time is over."""
        self._mark(BEFORE)
        submitting = asyncio.create_task(self._submit_all())
        while self.through < self.enough and self.now < self.limit_s:
            await asyncio.sleep(LOOK_S)
            found = await self._look()
            self._tell_each_minute(len(found))
            await self._forget([status for status in found if status.state.ended])
            if submitting.done():
                await submitting
                await self._let_in_once(found)
        submitting.cancel()
        self._mark(END)

    async def _look(self) -> Sequence[RunStatus]:
        until = next(name for name in (SUBMITTED, TAKEN_IN, END) if name not in self.moments)
        began = self.now
        found = await self.backend.list()
        self.looks.setdefault(until, []).append(Look(began, self.now - began, len(found)))
        self.known_at_most = max(self.known_at_most, len(found))
        return found

    def _tell_each_minute(self, known: int) -> None:
        if self.now < MINUTE_S * (len(self.minutes) + 1):
            return
        self.minutes.append(self._moment())
        slowest = max((look for looks in self.looks.values() for look in looks), key=lambda look: look.took_s)
        held = {name: round(mib) for name, mib in self.minutes[-1].spent.rss_mib.items()}
        self.tell(
            f"{self.now:.0f} s: {self.submitted} submitted, {known} known, {self.through} through, "
            f"slowest list {slowest.took_s:.1f} s at {slowest.at_s:.0f} s, MiB {held}"
        )

    async def _let_in_once(self, found: Sequence[RunStatus]) -> None:
        if TAKEN_IN not in self.moments and not any(status.reason == NOT_TAKEN_IN for status in found):
            self._mark(TAKEN_IN)
            await asyncio.to_thread(self.let_in)

    async def _submit_all(self) -> None:
        numbers = iter(range(self.jobs))

        async def submit_some() -> None:
            for number in numbers:
                await self._submit(run_of(number))
                self.submitted += 1

        await asyncio.gather(*(submit_some() for _ in range(self.at_once)))
        self._mark(SUBMITTED)

    async def _submit(self, run: JobRun) -> None:
        """As the service does: what the API server cannot take now is tried again."""
        while True:
            with suppress(BackendUnavailable):
                await self.backend.submit(run)
                return
            self.tried_again += 1
            await asyncio.sleep(0.5)

    async def _forget(self, ended: Sequence[RunStatus]) -> None:
        failed = [status for status in ended if status.state != "succeeded"]
        assert not failed, f"{len(failed)} jobs did not succeed, such as {failed[0]}"
        seen_at, left = datetime.now(UTC), iter(ended)
        self.lags_s += [(seen_at - status.ended_at).total_seconds() for status in ended if status.ended_at]

        async def forget_some() -> None:
            for status in left:
                with suppress(BackendUnavailable):
                    await self.backend.forget(status.name)
                    self.through += 1

        await asyncio.gather(*(forget_some() for _ in range(self.at_once)))

"""Many jobs through Kueue on a real Kubernetes control plane, whose nodes run nothing: does the backend keep up?

Needs what `make test-kubernetes` needs; etcd, API server, controllers, Kueue and the backend share this machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from assay_chassis.compute import BackendUnavailable, JobRun, RunStatus
from assay_chassis.compute.kubernetes.api import KubernetesApi
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.compute.kubernetes.queueing import waits_in_queue
from assay_chassis.object_store import FileStore

from benchmarks.results_file import Sizes, begin

TESTS = Path(__file__).resolve().parents[1] / "tests"
FIXTURES = (TESTS / "cluster", TESTS / "chassis/compute/kubernetes", TESTS / "chassis/compute")
SIZES: Sizes = {
    "jobs": (15_400, "jobs submitted: some go through meanwhile, and 15,000 are to be known at the same time"),
    "parallel": (16, "submissions at the same time"),
    "at_first": (1, "cores of the queue until Kueue has taken all in: nearly all wait"),
    "quota": (50, "cores of the queue from then on: so many jobs run at a time"),
    "minutes": (30, "minutes after which what is not submitted or through is left, and the figures say how many are"),
}
LOOK_S = 1.0
GOAL = {"known_at_the_same_time": ">= 15000", "requests_per_job": "<= 10"}
BEFORE, SUBMITTED, TAKEN_IN, END = "before", "all submitted", "all taken in by Kueue", "at the end"
NOT_TAKEN_IN = waits_in_queue(None)
NOTES = [
    "Every job is the backend's own suspended Job with one core, submitted by the shipped account of the trainer; "
    "Kueue lets in as many as the quota holds: at_first until it has taken all in, then quota. The node says that a "
    "pod runs, waits half a second, leaves the records of a job that succeeded, and says that it ended. What ended is "
    "forgotten, as the service does.",
    "requests_per_job counts the backend's calls to the API server, watches and the deletion of ended Jobs included. "
    "list_s is how long the backend takes to give the status of all jobs that it knows.",
    "rss_mib is of the backend's process, which is also the benchmark's own. cpu_ms_per_job is the processor time of "
    "each program: until all were taken in by jobs submitted, and from then on by jobs that went through.",
    "The control plane runs only the controllers that Jobs need, without priority and fairness of requests, and its "
    "programs collect garbage later than they would by default; Kueue is configured as it is shipped.",
]


class Counting:
    """Counts the calls to the API server by method."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        real = KubernetesApi._request

        async def counted(api: KubernetesApi, method: str, *given: Any) -> Any:
            self.calls[method] += 1
            return await real(api, method, *given)

        KubernetesApi._request = counted  # type: ignore[assignment,method-assign]


def run_of(number: int) -> JobRun:
    key = hashlib.sha256(str(number).encode()).hexdigest()
    priority = ("LOW", "MED", "HIGH")[number % 3]
    return JobRun(kind="training", job_key=key, attempt=1, entrypoint="none:none", labels={"priority": priority})


def rss_mib() -> float:
    return round(psutil.Process().memory_info().rss / 2**20, 1)


@dataclass(frozen=True)
class Moment:
    """What had been spent and reached by then. Processor time is in seconds, by program."""

    at_s: float
    through: int
    rss_mib: float
    cpu_s: dict[str, float]


@dataclass
class Passage:
    """The way of all jobs: submitted by some tasks, looked at by one, forgotten when they ended.

    `spent` gives the processor time until now; `let_in` is called when Kueue has taken all in."""

    backend: KubernetesBackend
    jobs: int
    at_once: int
    limit_s: float
    spent: Callable[[], dict[str, float]]
    let_in: Callable[[], None]
    began: float = field(default_factory=time.monotonic)
    moments: dict[str, Moment] = field(default_factory=dict)
    looks: dict[str, list[float]] = field(default_factory=dict)
    submitted: int = 0
    tried_again: int = 0
    through: int = 0
    known_at_most: int = 0

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    def _mark(self, name: str) -> None:
        self.moments[name] = Moment(self.now, self.through, rss_mib(), self.spent())

    async def pass_all(self) -> None:
        """Until all went through, or the time is over."""
        self._mark(BEFORE)
        submitting = asyncio.create_task(self._submit_all())
        while self.through < self.jobs and self.now < self.limit_s:
            await asyncio.sleep(LOOK_S)
            found = await self._look()
            await self._forget([status for status in found if status.state.ended])
            if submitting.done():
                await submitting
                await self._let_in_once(found)
        submitting.cancel()
        self._mark(END)

    async def _look(self) -> Sequence[RunStatus]:
        until = next(name for name in (SUBMITTED, TAKEN_IN, END) if name not in self.moments)
        looked = time.monotonic()
        found = await self.backend.list()
        self.looks.setdefault(until, []).append(time.monotonic() - looked)
        self.known_at_most = max(self.known_at_most, len(found))
        return found

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
        left = iter(ended)

        async def forget_some() -> None:
            for status in left:
                with suppress(BackendUnavailable):
                    await self.backend.forget(status.name)
                    self.through += 1

        await asyncio.gather(*(forget_some() for _ in range(self.at_once)))


def figures(passage: Passage, calls: Counter[str]) -> dict[str, Any]:
    """Rounded for people."""
    moments = passage.moments
    before, end = moments[BEFORE], moments[END]
    submitted, taken_in = moments.get(SUBMITTED, end), moments.get(TAKEN_IN, end)
    through, jobs = end.through - taken_in.through, max(passage.submitted, 1)
    return {
        "jobs": passage.jobs,
        "submitted": passage.submitted,
        "submitted_per_s": round(passage.submitted / submitted.at_s, 1),
        "submissions_tried_again": passage.tried_again,
        "known_at_the_same_time": passage.known_at_most,
        "reached_after_s": {name: round(moment.at_s, 1) for name, moment in moments.items()},
        "went_through": {name: moment.through for name, moment in moments.items()},
        "through_per_s": round(through / max(end.at_s - taken_in.at_s, 1e-9), 1),
        "list_s": {f"until {name}": _middle_and_most(looks) for name, looks in passage.looks.items()},
        "requests_per_job": round(sum(calls.values()) / jobs, 2),
        "requests": dict(calls),
        "rss_mib": {name: moment.rss_mib for name, moment in moments.items()},
        "rss_kib_per_job": round(1024 * (submitted.rss_mib - before.rss_mib) / jobs, 1),
        "cpu_ms_per_job": {
            "submitted": _ms_of_each(before, submitted, jobs),
            "submitted and taken in": _ms_of_each(before, taken_in, jobs),
            "through": _ms_of_each(taken_in, end, through),
        },
    }


def _middle_and_most(seconds: Sequence[float]) -> dict[str, float]:
    return {"median": round(statistics.median(seconds), 3), "max": round(max(seconds), 3)}


def _ms_of_each(since: Moment, until: Moment, jobs: int) -> dict[str, float]:
    """The processor time between two moments by program, a job; empty without jobs."""
    spent = {name: until.cpu_s[name] - since.cpu_s[name] for name in since.cpu_s} if jobs else {}
    found = {name: round(1000 * seconds / jobs, 1) for name, seconds in spent.items()}
    return found | {"all": round(sum(found.values()), 1)} if found else found


def main(arguments: Sequence[str] | None = None) -> int:
    run = begin("kueue_scale", __doc__, SIZES, arguments)
    sys.path[:0] = map(str, FIXTURES)
    binaries, plane_of, teams = (importlib.import_module(name) for name in ("binaries", "control_plane", "teams"))
    if reason := binaries.why_unavailable():
        print(f"not measured: {reason}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        plane = plane_of.ControlPlane(binaries.build(), Path(folder), lean=True)
        try:
            plane.start(node=plane_of.HOLLOW)
            with teams.new_team(plane, "scale") as team:
                found = asyncio.run(_whole(team, FileStore(Path(folder) / "store"), run.given))
        finally:
            plane.stop()
    run.write(found, goal=GOAL, packages=["kubernetes_asyncio"], notes=NOTES)
    return 0


async def _whole(team: Any, store: FileStore, given: Any) -> dict[str, Any]:
    counting, plane = Counting(), team.plane
    team.set_quota(cpu=given.at_first)
    backend = KubernetesBackend(team.settings(), "trainer", store)
    await backend.start()

    def spent() -> dict[str, float]:
        return {**plane.cpu_s(), "the backend": sum(os.times()[:2])}

    def let_in() -> None:
        team.set_quota(cpu=given.quota)

    passage = Passage(backend, given.jobs, given.parallel, 60.0 * given.minutes, spent, let_in)
    try:
        await passage.pass_all()
    finally:
        await backend.close()
    held = {name: round(held) for name, held in plane.rss_mib().items()}
    return figures(passage, counting.calls) | {"rss_mib_of_the_control_plane": held}


if __name__ == "__main__":
    sys.exit(main())

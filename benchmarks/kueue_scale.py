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
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from assay_chassis.compute import BackendUnavailable, JobRun, RunStatus
from assay_chassis.compute.kubernetes.api import KubernetesApi
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.object_store import FileStore

from benchmarks.results_file import Sizes, begin

TESTS = Path(__file__).resolve().parents[1] / "tests"
FIXTURES = (TESTS / "cluster", TESTS / "chassis/compute/kubernetes", TESTS / "chassis/compute")
SIZES: Sizes = {
    "jobs": (15_000, "jobs submitted"),
    "parallel": (16, "submissions at the same time"),
    "quota": (50, "cores of the queue: so many jobs run at a time"),
    "minutes": (14, "minutes after which what is not submitted or through is left, and the figures say how many are"),
}
LOOK_S = 1.0
GOAL = {"requests_per_job": "<= 10"}
NOTES = [
    "Every job is the backend's own suspended Job with one core, submitted by the shipped account of the trainer; "
    "Kueue lets in as many as the quota holds. The node says that a pod runs, waits half a second, leaves the records "
    "of a job that succeeded, and says that it ended. What ended is forgotten, as the service does.",
    "requests_per_job counts the backend's calls to the API server, watches and the deletion of ended Jobs included. "
    "list_s is how long the backend takes to give the status of all jobs that it knows, while it submits and after.",
    "rss_mib is of the backend's process, which is also the benchmark's own: before the first submission, when all "
    "were submitted, and at the end. cpu_ms_per_job is the processor time of each program, by jobs that went through.",
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


@dataclass
class Passage:
    """The way of all jobs: submitted by some tasks, looked at by one, forgotten when they ended."""

    backend: KubernetesBackend
    jobs: int
    at_once: int
    limit_s: float
    began: float = field(default_factory=time.monotonic)
    rss: dict[str, float] = field(default_factory=dict)
    looks: list[float] = field(default_factory=list)
    submitted: int = 0
    submitted_s: float = 0.0
    tried_again: int = 0
    through: int = 0
    known_at_most: int = 0

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    async def pass_all(self) -> None:
        """Until all went through, or the time is over."""
        self.rss["before"] = rss_mib()
        submitting = asyncio.create_task(self._submit_all())
        while self.through < self.jobs and self.now < self.limit_s:
            await asyncio.sleep(LOOK_S)
            looked = time.monotonic()
            found = await self.backend.list()
            self.looks.append(time.monotonic() - looked)
            self.known_at_most = max(self.known_at_most, len(found))
            await self._forget([status for status in found if status.state.ended])
            if submitting.done():
                await submitting
        submitting.cancel()
        self.rss["at the end"] = rss_mib()

    async def _submit_all(self) -> None:
        numbers = iter(range(self.jobs))

        async def submit_some() -> None:
            for number in numbers:
                await self._submit(run_of(number))
                self.submitted, self.submitted_s = self.submitted + 1, self.now

        await asyncio.gather(*(submit_some() for _ in range(self.at_once)))
        self.rss["all submitted"] = rss_mib()

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
                await self.backend.forget(status.name)

        await asyncio.gather(*(forget_some() for _ in range(self.at_once)))
        self.through += len(ended)


def figures(passage: Passage, calls: Counter[str], cpu_s: dict[str, float]) -> dict[str, Any]:
    """Rounded for people."""
    ended_s, through = passage.now, max(passage.through, 1)
    return {
        "jobs": passage.jobs,
        "submitted": passage.submitted,
        "submitted_in_s": round(passage.submitted_s, 1),
        "submitted_per_s": round(passage.submitted / max(passage.submitted_s, 1e-9), 1),
        "submissions_tried_again": passage.tried_again,
        "known_at_the_same_time": passage.known_at_most,
        "went_through": passage.through,
        "through_per_s": round(passage.through / ended_s, 1),
        "list_s": {"median": round(statistics.median(passage.looks), 3), "max": round(max(passage.looks), 3)},
        "requests_per_job": round(sum(calls.values()) / max(passage.submitted, 1), 2),
        "requests": dict(calls),
        "rss_mib": passage.rss,
        "cpu_ms_per_job": {name: round(1000 * spent / through, 1) for name, spent in cpu_s.items()},
    }


def main(arguments: Sequence[str] | None = None) -> int:
    run = begin("kueue_scale", __doc__, SIZES, arguments)
    sys.path[:0] = map(str, FIXTURES)
    binaries, plane_of, teams = (importlib.import_module(name) for name in ("binaries", "control_plane", "teams"))
    if reason := binaries.why_unavailable():
        print(f"not measured: {reason}")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        plane = plane_of.ControlPlane(binaries.build(), Path(folder))
        try:
            plane.start(node=plane_of.HOLLOW)
            with teams.new_team(plane, "scale") as team:
                team.set_quota(cpu=run.given.quota)
                found = asyncio.run(_whole(team, FileStore(Path(folder) / "store"), run.given))
        finally:
            plane.stop()
    run.write(found, goal=GOAL, packages=["kubernetes_asyncio"], notes=NOTES)
    return 0


async def _whole(team: Any, store: FileStore, given: Any) -> dict[str, Any]:
    counting, plane = Counting(), team.plane
    backend = KubernetesBackend(team.settings(), "trainer", store)
    await backend.start()
    passage = Passage(backend, given.jobs, given.parallel, 60.0 * given.minutes)
    before, own_before = plane.cpu_s(), sum(os.times()[:2])
    try:
        await passage.pass_all()
    finally:
        await backend.close()
    spent = {name: after - before[name] for name, after in plane.cpu_s().items()}
    found = figures(passage, counting.calls, {**spent, "the backend": sum(os.times()[:2]) - own_before})
    return found | {"rss_mib_of_the_control_plane": {name: round(held) for name, held in plane.rss_mib().items()}}


if __name__ == "__main__":
    sys.exit(main())

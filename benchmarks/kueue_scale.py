"""Many jobs through Kueue on a real Kubernetes control plane, whose nodes run nothing: does the backend keep up?

Needs what `make test-kubernetes` needs; etcd, API server, controllers, Kueue and the backend share this machine.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assay_chassis.compute import JobRun
from assay_chassis.compute.kubernetes.api import KubernetesApi
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.object_store import FileStore

from benchmarks.results_file import Sizes, begin

TESTS = Path(__file__).resolve().parents[1] / "tests"
FIXTURES = (TESTS / "cluster", TESTS / "chassis/compute/kubernetes", TESTS / "chassis/compute")
SIZES: Sizes = {
    "jobs": (1000, "jobs submitted"),
    "parallel": (16, "submissions at the same time"),
    "quota": (50, "cores of the queue: so many jobs run at a time"),
}
LOOK_S = 1.0
LONGEST_S = 1800.0
GOAL = {"requests_per_job": "<= 10"}
NOTES = [
    "Every job is the backend's own suspended Job with one core, submitted by the shipped account of the trainer; "
    "Kueue lets in as many as the quota holds. The node says that a pod runs, waits half a second, leaves the records "
    "of a job that succeeded, and says that it ended.",
    "requests_per_job counts the backend's calls to the API server, watches and the deletion of ended Jobs included. "
    "list_s is how long the backend takes to give the status of all jobs.",
    "rss_growth_kib_per_job is of the backend's process, from before the first submission to the end.",
]


def peak_rss_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


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


async def measure(backend: KubernetesBackend, jobs: int, at_once: int, calls: Counter[str]) -> dict[str, Any]:
    """Submit, follow and clear away."""
    runs = [run_of(number) for number in range(jobs)]
    rss, began, limit = peak_rss_kib(), time.monotonic(), asyncio.Semaphore(at_once)
    submitting = asyncio.create_task(_submit(backend, runs, limit))
    looks = list[float]()
    submitted_s: float | None = None
    ended = 0
    while ended < jobs:
        assert time.monotonic() - began < LONGEST_S, f"{ended} of {jobs} jobs ended"
        await asyncio.sleep(LOOK_S)
        looked = time.monotonic()
        ended = sum(status.state.ended for status in await backend.list())
        looks.append(time.monotonic() - looked)
        if submitted_s is None and submitting.done():
            submitted_s = time.monotonic() - began
    await submitting
    through_s = time.monotonic() - began
    failed = [status for status in await backend.list() if status.state != "succeeded"]
    assert not failed, f"{len(failed)} jobs did not succeed, such as {failed[0]}"
    for run in runs:
        await backend.forget(run.name)
    return {
        "jobs": jobs,
        "submitted_per_s": round(jobs / (submitted_s or through_s), 1),
        "through_per_s": round(jobs / through_s, 1),
        "list_s": {"median": round(statistics.median(looks), 3), "max": round(max(looks), 3)},
        "requests_per_job": round(sum(calls.values()) / jobs, 2),
        "requests": dict(calls),
        "rss_growth_kib_per_job": round((peak_rss_kib() - rss) / jobs, 1),
    }


async def _submit(backend: KubernetesBackend, runs: Sequence[JobRun], limit: asyncio.Semaphore) -> None:
    async def one(run: JobRun) -> None:
        async with limit:
            await backend.submit(run)

    await asyncio.gather(*(one(run) for run in runs))


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
                counting = Counting()
                store = FileStore(Path(folder) / "store")
                found = asyncio.run(_whole(team.settings(), store, run.given, counting.calls))
        finally:
            plane.stop()
    run.write(found, goal=GOAL, packages=["kubernetes_asyncio"], notes=NOTES)
    return 0


async def _whole(settings: Any, store: FileStore, given: Any, calls: Counter[str]) -> dict[str, Any]:
    backend = KubernetesBackend(settings, "trainer", store)
    await backend.start()
    try:
        return await measure(backend, given.jobs, given.parallel, calls)
    finally:
        await backend.close()


if __name__ == "__main__":
    sys.exit(main())

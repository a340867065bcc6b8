"""What a request costs a job service whose backend has many runs: the Kubernetes backend, and an API server in memory.

The API server answers from this process, so its part is in the figures. Nothing runs: every run waits in the queue.
"""

from __future__ import annotations

import asyncio
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from assay_chassis.clock import SystemClock
from assay_chassis.compute import JobRun
from assay_chassis.compute.kubernetes.backend import KubernetesBackend
from assay_chassis.compute.kubernetes.manifest import job_manifest
from assay_chassis.compute.kubernetes.settings import KubernetesSettings
from assay_chassis.compute.kubernetes.stored import SUBMITTED, StoredRuns
from assay_chassis.job_service import JobService
from assay_chassis.object_store import MemoryStore
from assay_schemas.envelope import Event
from assay_schemas.jobs import job_key

from benchmarks.results_file import Sizes, begin

TESTS = Path(__file__).resolve().parents[1] / "tests/chassis"
FIXTURES = (TESTS / "compute/kubernetes", TESTS / "compute", TESTS / "job_service")
SIZES: Sizes = {"few": (100, "runs"), "some": (1_000, "runs"), "many": (15_000, "runs"), "asked": (41, "requests each")}
GOAL = {"request_ms": "the same with 15,000 runs as with 100: within a quarter"}
NOTES = [
    "Milliseconds of processor time, medians. `list` gives the status of every run, as the monitor asks a few times a "
    "second. A request is for a new job, which is looked for among the runs and submitted; a cancel is for one of "
    "these.",
]


async def measured(runs: int, asked: int) -> dict[str, float]:
    """With this many runs in the cluster and in the store of runs, before the backend starts."""
    fake, ground = importlib.import_module("fake_api"), importlib.import_module("job_ground")
    with tempfile.TemporaryDirectory() as folder:
        api, store = fake.FakeApi(), MemoryStore("memory://runs")
        settings = KubernetesSettings(kubeconfig=await api.start(Path(folder)), image="trainer:1")
        api.collections[fake.JOBS] = dict([await waiting(n, settings, store) for n in range(runs)])
        backend = KubernetesBackend(settings, "trainer", store)
        await backend.start()
        service = JobService(
            source="trainer",
            types=[ground.TRAINING],
            backend=backend,
            store=MemoryStore(),
            publisher=ground.Published(),
            clock=SystemClock(),
        )
        try:
            assert len(await backend.list()) == runs
            return {
                "list_ms": await cost([backend.list] * 5),
                "request_ms": await cost([taken(service.requested, ground.request_event(), n) for n in range(asked)]),
                "cancel_ms": await cost(
                    [taken(service.cancel_requested, ground.cancel_event(), n) for n in range(asked)]
                ),
            }
        finally:
            await backend.close()
            await api.stop()


async def waiting(number: int, settings: KubernetesSettings, store: MemoryStore) -> tuple[str, dict[str, Any]]:
    """A run that was submitted in an earlier life of the service: its name, and its Job as the API server gives it."""
    key = f"{number:064d}"[::-1]
    run = JobRun(kind="training", job_key=key, attempt=1, entrypoint="none:none", labels={"priority": "LOW"})
    stored = StoredRuns(store, "trainer")
    await stored.create(run)
    await stored.mark(run.name, SUBMITTED)
    job = job_manifest(run, "trainer", settings, {}, 10.0)
    job["metadata"] |= {"uid": run.name, "resourceVersion": "1", "creationTimestamp": "2026-01-01T00:00:00Z"}
    return run.name, {**job, "status": {}}


def taken(handler: Callable[[Event], Awaitable[None]], event: Event, seed: int) -> Callable[[], Awaitable[None]]:
    """The handling of an event like this one, of a job of its own."""
    inputs = importlib.import_module("job_ground").INPUTS.model_copy(update={"seed": seed})
    data = {**event.data, "job_key": job_key(inputs)}
    if "inputs" in data:
        data["inputs"] = inputs.model_dump(mode="json")
    one = event.model_copy(update={"data": data, "id": str(seed)})
    return lambda: handler(one)


async def cost(calls: Sequence[Callable[[], Awaitable[Any]]]) -> float:
    """Milliseconds of processor time of a call, the median."""
    spent = []
    for call in calls:
        began = time.process_time()
        await call()
        spent.append(1000 * (time.process_time() - began))
    return round(statistics.median(spent), 2)


def main(arguments: Sequence[str] | None = None) -> int:
    run = begin("many_runs", __doc__, SIZES, arguments)
    sys.path[:0] = map(str, FIXTURES)
    sizes = [getattr(run.given, name) for name in ("few", "some", "many")]
    found = {f"{size} runs": asyncio.run(measured(size, run.given.asked)) for size in sizes}
    run.write(found, goal=GOAL, packages=["kubernetes_asyncio"], notes=NOTES)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a second replica of every service brings when each decision waits for I/O, and whether results stay the same.

Real Kafka with production's partitions, PostgreSQL, schedulers and reporters; trainer and evaluator are stand-ins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from assay_local.broker_topics import production_topics
from assay_local.component import running
from assay_local.ports import free_port
from assay_local.service import Service
from assay_schemas.artifacts import ArtifactRef
from assay_schemas.envelope import Record, decode
from assay_schemas.events import ExperimentCompleted
from assay_schemas.results import ExperimentResult

from benchmarks import control_plane, load_service
from benchmarks.control_plane import ROOT, WARM_UP, Driver, Place, infrastructure, write_rows
from benchmarks.processes import cpu_of_family

IO_MS, LONG_IO_MS = 20.0, 100.0
"""The goal's, and so much that processors are not what everything waits for where there are two of them."""
GOAL = ">= 1.6 x the throughput of one, the same results"
Results = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """So many replicas of every service: seconds from the first request to the last report, those of processor time
    that all processes had meanwhile, and what came out."""

    seconds: float
    cpu_s: float
    results: Results


@contextmanager
def services(place: Place, replicas: int, io_ms: float) -> Iterator[None]:
    """So many schedulers and reporters, each a process, ready."""
    with ExitStack() as stack:
        for name in ("scheduler", "reporter"):
            for number in range(replicas):
                stack.enter_context(running(_service(place, name, number, io_ms)))
        yield


def _service(place: Place, name: str, number: int, io_ms: float) -> Service:
    def environment() -> Mapping[str, str]:
        return {
            **control_plane.environment(place, f"{name}-{number}"),
            "PYTHONPATH": str(ROOT),
            load_service.NAME: name,
            load_service.IO_MS: str(io_ms),
        }

    log = place.folder / f"{name}-{number}.log"
    return Service(f"{name} {number}", "benchmarks.load_service", free_port(None), log, environment)


async def run(folder: Path, replicas: int, experiments: int, io_ms: float) -> Run:
    """The same experiments on a system of their own."""
    folder.mkdir()
    with infrastructure(folder, production_topics()) as place:
        write_rows(folder, 4 * (experiments + WARM_UP))
        with services(place, replicas, io_ms):
            driver = Driver(
                place, ends=("report.published", "experiment.rejected"), replicas=replicas, io_s=io_ms / 1000
            )
            async with driver:
                await driver.run(range(WARM_UP))
                before = cpu_of_family(os.getpid())
                traffic = await driver.run(range(WARM_UP, WARM_UP + experiments))
                cpu_s = cpu_of_family(os.getpid()) - before
            return Run(traffic.seconds, cpu_s, await _results(place))


async def _results(place: Place) -> Results:
    """Of each experiment by name: how it ended and its jobs, each with its outcome and how often it was tried."""
    found: Results = {}
    consumer = AIOKafkaConsumer("experiment.completed", bootstrap_servers=place.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        while batches := await consumer.getmany(timeout_ms=1000):
            for record in (one for batch in batches.values() for one in batch):
                event = decode(Record(topic=record.topic, key=record.key, value=record.value))
                said = ExperimentCompleted.model_validate(event.data)
                jobs = await _jobs(place, said.result)
                if found.setdefault(said.name, (said.outcome, jobs)) != (said.outcome, jobs):
                    raise RuntimeError(f"{said.name} ended twice, and differently")
    finally:
        await consumer.stop()
    return found


async def _jobs(place: Place, result: ArtifactRef) -> list[tuple[str, str, int | None]]:
    content = await place.store.get_bytes(result)
    return sorted((end.key, end.outcome, end.attempt) for end in ExperimentResult.model_validate_json(content).ends)


async def measure(folder: Path, experiments: int) -> dict[str, Any]:
    """With the goal's I/O, and with so much that processors do not matter: that has a third of the experiments."""
    sizes = {"replicas": (IO_MS, experiments), "replicas, longer I/O": (LONG_IO_MS, max(1, experiments // 3))}
    return {name: await _compared(folder / f"io-{size[0]:.0f}", *size) for name, size in sizes.items()}


async def _compared(folder: Path, io_ms: float, experiments: int) -> dict[str, Any]:
    folder.mkdir()
    one = await run(folder / "one", 1, experiments, io_ms)
    print(f"   {io_ms:.0f} ms, one of every service: {one.seconds:.1f} s, processors {one.cpu_s:.1f} s", flush=True)
    two = await run(folder / "two", 2, experiments, io_ms)
    print(f"   {io_ms:.0f} ms, two of every service: {two.seconds:.1f} s, processors {two.cpu_s:.1f} s", flush=True)
    return {
        "io_ms_injected": io_ms,
        "experiments": experiments,
        "processors": os.cpu_count(),
        "one_processors_busy": round(one.cpu_s / one.seconds, 2),
        "two_processors_busy": round(two.cpu_s / two.seconds, 2),
        "one_experiments_per_s": round(experiments / one.seconds, 2),
        "two_experiments_per_s": round(experiments / two.seconds, 2),
        "ratio": round(one.seconds / two.seconds, 2),
        "same_results": one.results == two.results and len(one.results) == experiments + WARM_UP,
    }

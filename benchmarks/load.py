"""Does the scheduler stay quick when much is stored and lives? Decisions, admissions, bursts and replicas, timed.

Decisions on a scheduler in this process with a broker in memory; bursts and replicas on processes and real Kafka.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from assay_chassis.memory import InMemoryBroker, MemoryLog
from assay_chassis.object_store.memory import MemoryStore
from assay_local.component import running
from assay_local.postgres import PostgresServer
from assay_scheduler.app import build
from assay_scheduler.parts import Parts
from assay_scheduler.settings import SchedulerSettings
from assay_schemas.envelope import Record, decode
from assay_schemas.ids import experiment_id

from benchmarks import load_burst, load_replicas, load_statements, results_file
from benchmarks.control_plane import request, write_rows
from benchmarks.load_statements import Statements
from benchmarks.load_stock import add_live, add_stored
from benchmarks.no_op_workers import KIND, completion
from benchmarks.processes import cpu_of_family

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 3
PATIENCE_S = 120.0
GOAL = {
    "decision_p99_ms, stored and live": "<= 50",
    "decision_ratio": "<= 1.5",
    "burst": load_burst.GOAL,
    "replicas": load_replicas.GOAL,
    "replicas, longer I/O": "as replicas, where processors do not matter",
}
NOTES = [
    "An experiment has 10 jobs. A decision is one event taken up to its commit (a request, or the end of a job); an "
    "admission is one turn of the queue. Experiments are run one after the other, so that nothing waits in line, each "
    "on the empty database and on the full one in turn, which lie on one server.",
    "stored: ended experiments, copies of one that was run, spread over a year, in tables that were analysed. live: "
    "running experiments, copies of one whose jobs nobody answers; each has jobs that hold capacity and others that "
    "wait.",
    "statements: how often each was executed, and the median of the milliseconds that its caller waited; "
    "statements_grown_ms: medians with the empty database and with all, of those that take noticeably longer.",
    "decision_ratio = p99 with all that is stored and lives / p99 of the empty database; cpu_ratio the same of the "
    "processor time for a decision: that of the process with scheduler, stand-ins and this benchmark (cpu_ms), and "
    "PostgreSQL's (database_cpu_ms), with everything that either does meanwhile.",
    "burst: signs of life of every live job in turn, through Kafka, of a scheduler with a lease of ten seconds; "
    "absorbed when the last is written. memory: the scheduler's resident memory before, and the most it ever was.",
    "replicas: each event that scheduler, reporter and stand-ins of trainer and evaluator handle, and each report, "
    "waits for 20 ms of I/O more, events of one process one after the other. The time is from the first request to "
    "the last report.published; processors_busy: processor time of all processes in that time. With two processors "
    "they may be what is waited for, so it is measured with 100 ms too, on a third of the experiments. same_results: "
    "every job ended alike, at the same attempt, in both runs.",
]


@dataclass
class Times:
    """Seconds of each decision and each admission, and the processor time of what was timed, since the last `clear`."""

    statements: Statements
    postgres: int
    decisions: list[float] = field(default_factory=list)
    admissions: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=lambda: [0.0, 0.0])

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Counts the processor time of this process, and of PostgreSQL with all its processes."""
        before = self._cpu()
        yield
        self.cpu_s = [had + now - then for had, now, then in zip(self.cpu_s, self._cpu(), before, strict=True)]

    def _cpu(self) -> tuple[float, float]:
        return time.process_time(), cpu_of_family(self.postgres)

    def figures(self) -> dict[str, Any]:
        """Milliseconds."""
        found: dict[str, Any] = {"decisions": len(self.decisions)}
        for name, seconds in zip(("", "database_"), self.cpu_s, strict=True):
            found[f"{name}cpu_ms_per_decision"] = round(1e3 * seconds / len(self.decisions), 1)
        for name, each in (("decision", self.decisions), ("admission", self.admissions)):
            percentiles = statistics.quantiles(each, n=100)
            found |= {f"{name}_p{place}_ms": round(1e3 * percentiles[place - 1], 1) for place in (50, 90, 99)}
        return found | {"statements": self.statements.figures()}

    def clear(self) -> None:
        self.decisions.clear()
        self.admissions.clear()
        self.statements.clear()
        self.cpu_s = [0.0, 0.0]


class Client:
    """Asks for experiments and hears what becomes of them, so that nobody has to ask the database meanwhile."""

    def __init__(self, log: MemoryLog) -> None:
        self.broker = InMemoryBroker(log)
        self.broker.subscribe(["experiment.accepted", "experiment.completed"], "client", self._on_record)
        self._heard: defaultdict[tuple[str, str], asyncio.Event] = defaultdict(asyncio.Event)

    async def _on_record(self, record: Record) -> None:
        event = decode(record)
        self._heard[event.type, event.data["experiment_id"]].set()

    async def ask(self, folder: Path, number: int, until: str) -> str:
        """One experiment, until an event of that type tells of it; its id."""
        event = request(folder, number)
        await self.broker.publish(event)
        identity = experiment_id(event.source, event.id)
        await asyncio.wait_for(self._heard[until, identity].wait(), PATIENCE_S)
        return identity


@dataclass(frozen=True)
class Ground:
    """A running scheduler, its client and what was timed."""

    parts: Parts
    client: Client
    times: Times
    folder: Path

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        async with self.parts.app.database.connection() as connection:
            return await connection.fetchval(query, *arguments, timeout=PATIENCE_S)

    async def is_ready(self) -> bool:
        return not await self.parts.app.problems()

    async def until(self, condition: Callable[[], Awaitable[Any]]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if found := await condition():
                    return found
                await asyncio.sleep(0.01)


class Workers:
    """Answer every request at once, while they are on."""

    def __init__(self, log: MemoryLog, store: MemoryStore) -> None:
        self.on = True
        self._store = store
        self.broker = InMemoryBroker(log)
        self.broker.subscribe(list(KIND), "workers", self._on_record)

    async def _on_record(self, record: Record) -> None:
        if self.on:
            event = decode(record)
            await self.broker.publish(await completion(KIND[event.type], event.data, self._store))


@asynccontextmanager
async def scheduler(url: str, folder: Path, postgres: int) -> AsyncIterator[tuple[Ground, Workers]]:
    log, store, times = MemoryLog(partitions=4), MemoryStore(), Times(Statements(url), postgres)
    settings = SchedulerSettings(
        database_url=url,
        state_dir=folder / "state",
        readable_roots=f"{ROOT}:{folder}",
        capacity_cpus=1e6,
        capacity_memory_gib=1e6,
        log_level="error",
    )
    parts = build(settings, broker=InMemoryBroker(log), store=store)
    _timed(parts, times)
    workers, client = Workers(log, store), Client(log)
    for broker in (workers.broker, client.broker):
        await broker.start()
    ground = Ground(parts, client, times, folder)
    with times.statements.watched():
        task = asyncio.create_task(parts.app.run())
        try:
            await ground.until(ground.is_ready)
            yield ground, workers
        finally:
            parts.app.stop()
            await asyncio.wait_for(task, 30)
            for broker in (workers.broker, client.broker):
                await broker.stop()


def _timed(parts: Parts, times: Times) -> None:
    """Time what the broker calls for records, and each turn of admission."""
    delivery, admit = parts.app.delivery, parts.admitter.run
    deliver, together = delivery.deliver, delivery.deliver_together

    async def timed_deliver(record: Record) -> None:
        began = time.perf_counter()
        await deliver(record)
        if record.topic != "job.progressed":
            times.decisions.append(time.perf_counter() - began)

    async def timed_together(records: Any) -> bool:
        began = time.perf_counter()
        done = await together(records)
        if done:
            times.decisions.append(time.perf_counter() - began)
        return done

    async def timed_admit(tx: Any, now: datetime) -> Any:
        began = time.perf_counter()
        admission = await admit(tx, now)
        times.admissions.append(time.perf_counter() - began)
        return admission

    delivery.deliver, delivery.deliver_together = timed_deliver, timed_together  # type: ignore[method-assign]
    object.__setattr__(parts.admitter, "run", timed_admit)


async def decisions(grounds: Mapping[str, Ground], numbers: range) -> dict[str, Any]:
    """Experiments one after the other, to their ends: each on every ground in turn, so that what else the machine does
    meanwhile is the same for all."""
    for ground in grounds.values():
        ground.times.clear()
    for number in numbers:
        for ground in grounds.values():
            with ground.times.timed():
                await ground.client.ask(ground.folder, number, "experiment.completed")
    return {name: ground.times.figures() for name, ground in grounds.items()}


async def measure(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Decisions, then a burst of what lives in the same database, then replicas on systems of their own."""
    found: dict[str, Any] = {}
    if given.sample:
        postgres = PostgresServer(place / "postgres")
        with running(postgres) as server:
            sizes = given.stored, given.live, given.sample
            found = await measure_decisions(postgres.url, server.pid, place, *sizes)
            if given.burst:
                found["burst"] = await load_burst.measure(place, postgres.url, given.burst)
                print(f"   burst: {found['burst']}", flush=True)
    if given.replicated:
        found |= await load_replicas.measure(place, given.replicated)
    return found


async def measure_decisions(
    url: str, postgres: int, folder: Path, stored: int, live: int, sample: int
) -> dict[str, Any]:
    for name in ("empty", "full"):
        (folder / name).mkdir()
        write_rows(folder / name, 4 * (2 * sample + WARM_UP + 2))
    found: dict[str, Any] = {"experiments_stored": stored, "experiments_live": live, "experiments_timed": sample}
    async with (
        scheduler(await another_database(url), folder / "empty", postgres) as (empty, _),
        scheduler(url, folder / "full", postgres) as (full, workers),
    ):
        await decisions({"empty": empty, "full": full}, range(WARM_UP))
        template = await full.fetchval("SELECT id FROM experiments ORDER BY requested_at DESC LIMIT 1")
        began = time.perf_counter()
        await add_stored(url, template, stored)
        print(f"   {stored} experiments were added in {time.perf_counter() - began:.0f} s", flush=True)
        found |= await decisions({"stored": full}, range(WARM_UP, WARM_UP + sample))
        workers.on = False
        template = await full.client.ask(full.folder, WARM_UP + 2 * sample, "experiment.accepted")
        await asyncio.sleep(1.0)
        workers.on = True
        await add_live(url, template, live)
        both = {"empty": empty, "stored and live": full}
        found |= await decisions(both, range(WARM_UP + sample, WARM_UP + 2 * sample))
    for name in ("stored", *both):
        _show(name, found)
    before, after = found["empty"], found["stored and live"]
    found["decision_ratio"] = round(after["decision_p99_ms"] / before["decision_p99_ms"], 2)
    found["cpu_ratio"] = round(_cpu(after) / _cpu(before), 2)
    found["statements_grown_ms"] = load_statements.grown(before["statements"], after["statements"])
    return found


async def another_database(url: str) -> str:
    """The URL of an empty database on the same server."""
    connection = await asyncpg.connect(url, timeout=10, command_timeout=PATIENCE_S)
    try:
        await connection.execute("CREATE DATABASE empty")
    finally:
        await connection.close(timeout=10)
    return urlunsplit(urlsplit(url)._replace(path="/empty"))


def _show(name: str, found: dict[str, Any]) -> None:
    print(f"   {name}: { {key: value for key, value in found[name].items() if key != 'statements'} }", flush=True)


def _cpu(figures: dict[str, float]) -> float:
    return figures["cpu_ms_per_decision"] + figures["database_cpu_ms_per_decision"]


def main() -> None:
    """Measure, write the result and print its figures."""
    sizes = {
        "stored": (100_000, "ended experiments of 10 jobs in the database"),
        "live": (1000, "running experiments"),
        "sample": (120, "experiments timed in each state; 0: neither decisions nor a burst"),
        "burst": (20, "seconds of ten thousand signs of life each; 0: none"),
        "replicated": (60, "experiments for one and for two of every service; 0: none"),
    }
    run = results_file.begin("load", __doc__, sizes)
    gc.freeze()  # as a service's process does
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder).resolve(), run.given))
    run.write(figures, goal=GOAL, packages=("asyncpg", "faststream", "pydantic"), notes=NOTES)


if __name__ == "__main__":
    main()

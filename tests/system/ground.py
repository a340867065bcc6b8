"""A whole system on real parts for tests: experiments on it, its events as they went by, and its processes.

Every wait has a time limit; what was not seen in time is a failure that says what was.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import psutil
from aiokafka import AIOKafkaProducer
from assay.experiment import submit_document
from assay.run import Run
from assay.settings import ClientSettings
from assay.stream import records
from assay_local import processes
from assay_local.broker_admin import answers
from assay_local.system import EmbeddedSystem
from assay_schemas.artifacts import result_prefix
from assay_schemas.envelope import Event, Record, Unreadable, decode
from assay_schemas.ids import experiment_id
from assay_schemas.topics import every_topic

from examples.wordproblems.__main__ import write_all

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
PILOT = ROOT / "examples" / "pilot" / "model"
WITHIN_S = 120.0
LOOK_S = 0.3
CANARIES = {"ASSAY_S3_SECRET_ACCESS_KEY": "canary-5b1e0d", "ASSAY_KAFKA_SASL_PASSWORD": "canary-c84a72"}
"""Secrets that nothing here needs; whatever tells of its settings tells of these."""
_seeds = itertools.count(1000)


def new_seed() -> int:
    """A seed that nothing was trained with yet: what an earlier test, or an earlier try of this one, has
    trained would be reused."""
    return next(_seeds)


@dataclass
class Tape:
    """Every record of every topic from a moment on, in the order in which each partition has them."""

    records: list[Record] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def of(self, topic: str, key: str | None = None) -> list[Event]:
        return [event for event in self.events if event.type == topic and key in (None, event.key)]

    def letters(self) -> list[Record]:
        return [record for record in self.records if record.topic.endswith(".dlq")]

    def add(self, record: Record) -> None:
        self.records.append(record)
        if not record.topic.endswith(".dlq"):
            try:
                self.events.append(decode(record))
            except Unreadable:
                return


@dataclass
class Ground:
    """A running system, data to experiment on, and how to reach both."""

    system: EmbeddedSystem
    settings: ClientSettings
    data: Path

    @property
    def state(self) -> Path:
        return self.system.state.path

    def document(self, **changes: Any) -> dict[str, Any]:
        """A tiny experiment: one arm, one seed, two benchmarks of a few items."""
        return {
            "name": "tiny",
            "base_model": str(PILOT),
            "training": training(),
            "arms": [{"name": "clean", "dataset": str(self.data / "clean.jsonl")}],
            "seeds": [0],
            "selection": {"policy": "last"},
            "benchmarks": [
                {
                    "name": "numeric",
                    "parameters": {"dataset": str(self.data / "items.jsonl"), "max_tokens": 8},
                    "limit": 8,
                },
                {"name": "perplexity", "parameters": {"dataset": str(self.data / "likelihood.jsonl")}, "limit": 8},
            ],
            **changes,
        }

    def submit(self, **changes: Any) -> Run:
        return submit_document(self.document(**changes), self.data, self.settings)

    def ended(self, run: Run, within_s: float = WITHIN_S, seen: Callable[[Any], Any] = lambda _: None) -> Run:
        """The run once its report is published; `seen` is called with each view before that."""
        run.watch(seen, within_s)
        return run

    def process(self, name: str) -> psutil.Process | None:
        record = self.system.state.record()
        return processes.live(record.processes[name]) if record and name in record.processes else None

    def kill(self, name: str) -> None:
        """`kill -9` on one part; returns when another process of that part runs, and the broker answers."""
        before = self.process(name)
        assert before is not None, f"{name} does not run"
        before.kill()
        until(lambda: self.process(name) not in (None, before), f"{name} was started again", 60.0)
        until(lambda: answers(self.settings.kafka_bootstrap_servers), "the broker answers", 60.0)

    def manifests(self, key: str) -> list[Path]:
        """The result manifests that the attempts of a job have left."""
        folder = self.state / "store" / Path(result_prefix(key, 1)).parent
        return sorted(folder.glob("*/manifest.json"))

    async def tape(
        self,
        since: datetime,
        enough: Callable[[Tape], Any] = lambda _: True,
        *,
        within_s: float = WITHIN_S,
        topics: Iterable[str] = tuple(topic.name for topic in every_topic()),
    ) -> Tape:
        """The records from a moment on, once they are enough; every 0.3 s it is asked whether they are."""
        tape, looked_at = Tape(), time.monotonic()
        try:
            async with asyncio.timeout(within_s):
                async for record in records(self.settings, topics, since):
                    if record is not None:
                        tape.add(record)
                    if record is not None and time.monotonic() - looked_at < LOOK_S:
                        continue
                    looked_at = time.monotonic()
                    if enough(tape):
                        return tape
        except TimeoutError:
            seen = [(event.type, event.key[:12], event.data.get("outcome")) for event in tape.events]
            raise AssertionError(f"not in {within_s:g} s; seen were {seen}") from None
        raise AssertionError("records are followed for ever")

    @asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            bootstrap_servers=self.settings.kafka_bootstrap_servers, acks="all", max_request_size=2**20
        )
        await producer.start()
        try:
            yield producer
        finally:
            await producer.stop()

    async def send(self, cases: Sequence[Record]) -> list[Record]:
        """Publishes raw records as they are; returns them with their places."""
        sent = []
        async with self.producer() as producer:
            for case in cases:
                headers = [(name, value) for name, value in case.headers]
                place = await producer.send_and_wait(case.topic, case.value, key=case.key, headers=headers)
                sent.append(case.model_copy(update={"partition": place.partition, "offset": place.offset}))
        return sent


def training(**hyperparameters: Any) -> dict[str, Any]:
    return {
        "algorithm": "SFT",
        "hyperparameters": {"steps": 4, "batch_size": 8, "learning_rate": 1e-3, "max_length": 128, **hyperparameters},
    }


def write_data(folder: Path) -> Path:
    """Few rows for two arms, and few items for the benchmarks."""
    write_all(folder, 200, 40, 1)
    return folder


def files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What others than the owner may read, and all that is in the object store and the topics."""
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and path.name not in ("password", "database_url"):
                yield str(path.relative_to(folder)), path.read_bytes()
        except OSError:
            continue


def identity_of(record: Record) -> str:
    """The id of the experiment that a raw request asks for."""
    event = decode(record)
    return experiment_id(event.source, event.id)


def now() -> datetime:
    return datetime.now(UTC)


def plain(document: dict[str, Any], key: str) -> Record:
    """A plain JSON command without any header."""
    return Record(topic="experiment.requested", key=key.encode(), value=json.dumps(document).encode())


def until(condition: Callable[[], T], what: str, within_s: float = WITHIN_S) -> T:
    """Waits until a condition holds; its value."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not in {within_s:g} s: {what}"
        time.sleep(0.1)
    return value

"""The disk below PostgreSQL, Kafka or the object store is full for a while: everything waits, and nothing is lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from assay_chassis.app import ServiceApp
from assay_chassis.object_store import StoreSettings, open_store
from assay_chassis.object_store.errors import StoreUnavailable
from assay_chassis.outbox import Transaction
from assay_chassis.settings import ServiceSettings
from assay_local import testing
from assay_local.component import Running, running
from assay_local.errors import NotStarted
from assay_local.kafka import KafkaServer
from assay_local.postgres import PostgresServer
from assay_schemas.envelope import Event

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chassis"))
from test_faults import IN, OUT, Reader, event, publish_patiently, service, started, times_handled, until, until_ready

pytestmark = [pytest.mark.real, pytest.mark.slow]
EVENTS = 60
WIDE = "SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 1000)"
"""32 KB that do not compress."""


class Disk:
    """A file system of its own and of a given size, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """Leaves not a byte."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (2**20, 2**12, 1):
                with pytest.raises(OSError, match="No space left"):
                    write_for_ever(file, b"\0" * size)

    def make_room(self) -> None:
        self._ballast.unlink()


def write_for_ever(file: BinaryIO, block: bytes) -> None:
    while True:
        file.write(block)


@contextmanager
def disk(folder: Path, size: str) -> Iterator[Disk]:
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here; it needs root")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=30)


def wide_service(settings: ServiceSettings) -> ServiceApp:
    """Writes much for each event, and says so in another event."""
    app = ServiceApp("scheduler", settings, migrations="assay_chassis")

    async def handler(given: Event, tx: Transaction) -> None:
        await tx.connection.execute("CREATE TABLE IF NOT EXISTS seen (n integer, wide text)")
        await tx.connection.execute(f"INSERT INTO seen VALUES ($1, ({WIDE}))", given.data["n"])
        await tx.publish(given.model_copy(update={"type": OUT, "id": f"out-{given.id}"}))

    app.on(IN, handler)
    return app


@pytest.mark.timeout(400)
async def test_events_wait_while_the_databases_disk_is_full(tmp_path: Path) -> None:
    kafka = KafkaServer(tmp_path / "kafka")
    with disk(tmp_path / "disk", "200m") as full, running(kafka):
        postgres = PostgresServer(full.folder / "postgres", log=tmp_path / "postgres.log")
        with running(postgres) as server:
            testing.renew_topics(kafka.bootstrap_servers)
            settings = ServiceSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url)
            app, reader = wide_service(settings), Reader(settings)
            await reader.broker.start()
            async with started(app):
                await reader.broker.publish(*(event(number) for number in range(EVENTS // 2)))
                await reader.until(EVENTS // 2)
                full.fill()
                await reader.broker.publish(*(event(number) for number in range(EVENTS // 2, EVENTS)))
                await until(lambda: bool(app.delivery.waiting))
                await asyncio.sleep(15)  # longer than five quick tries, after which an error nobody knows is final
                assert len(reader.ids) < EVENTS
                full.make_room()
                await asyncio.to_thread(start_where_it_died, server)
                await reader.until(EVENTS, timeout_s=120)
                await until_ready(app)
                assert await times_handled(app) == dict.fromkeys(range(EVENTS), 1)
            await reader.broker.stop()


@pytest.mark.timeout(400)
async def test_events_wait_while_the_brokers_disk_is_full(tmp_path: Path) -> None:
    """Kafka ends itself when it cannot write; what it said it had taken is there when it starts again."""
    with disk(tmp_path / "disk", "200m") as full:
        kafka = KafkaServer(full.folder / "kafka", log=tmp_path / "kafka.log")
        postgres = PostgresServer(tmp_path / "postgres", settings={"fsync": "off"})
        with running(kafka) as server, running(postgres):
            testing.renew_topics(kafka.bootstrap_servers)
            settings = ServiceSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url)
            app, reader = service(settings), Reader(settings)
            await reader.broker.start()
            async with started(app):
                await reader.broker.publish(*(event(number) for number in range(EVENTS // 2)))
                await reader.until(EVENTS // 2)
                full.fill()
                rest = [event(number) for number in range(EVENTS // 2, EVENTS)]
                sending = asyncio.create_task(publish_patiently(reader.broker, *rest))
                await until(lambda: server._process.poll() is not None)
                await asyncio.sleep(15)
                assert not sending.done()
                assert await app.problems()
                full.make_room()
                await asyncio.to_thread(start_where_it_died, server)
                await asyncio.wait_for(sending, 60)
                await reader.until(EVENTS, timeout_s=120)
                await until_ready(app)
                assert await times_handled(app) == dict.fromkeys(range(EVENTS), 1)
            await reader.broker.stop()


def start_where_it_died(server: Running) -> None:
    """A server whose log could not be written has ended; whoever supervises it starts it again."""
    if server._process.poll() is not None:
        for _ in range(5):
            try:
                server.start()
            except NotStarted:
                continue
            return


async def test_an_object_is_whole_or_not_there_when_the_stores_disk_is_full(tmp_path: Path) -> None:
    with disk(tmp_path / "disk", "8m") as full:
        settings = StoreSettings(object_store=(full.folder / "store").as_uri())
        async with open_store(settings) as store:
            await store.put_bytes("before", b"1" * 1000)
            full.fill()
            source = tmp_path / "source"
            source.write_bytes(b"2" * 3_000_000)
            with pytest.raises(StoreUnavailable, match="No space left"):
                await store.put_bytes("bytes", b"2" * 100_000)
            with pytest.raises(StoreUnavailable, match="No space left"):
                await store.put_file("file", source)
            assert await store.get_bytes("before") == b"1" * 1000
            assert [entry.uri.rpartition("/")[2] async for entry in store.list()] == ["before"]
            full.make_room()
            await store.put_bytes("bytes", b"2" * 100_000)
            assert await store.get_bytes("bytes") == b"2" * 100_000
            used = sum(path.stat().st_size for path in full.folder.rglob("*") if path.is_file())
            assert used == 101_000, "nothing half written is left behind"

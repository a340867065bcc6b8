"""PostgreSQL's primary dies or stands still, a standby is made primary at another address: each event counts once."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from assay_chassis.settings import ServiceSettings
from assay_local import testing
from assay_local.component import Running, running
from assay_local.kafka import KafkaServer
from assay_local.ports import HOST
from assay_local.postgres import PostgresServer, own

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chassis"))
from test_faults import Reader, event, service, started, times_handled, until_ready

pytestmark = [pytest.mark.real, pytest.mark.slow]
EVENTS = 200
STANDBY = "standby"


class Standby(PostgresServer):
    """Follows a primary from a copy of its data."""

    def __init__(self, folder: Path, primary: PostgresServer) -> None:
        super().__init__(folder, settings={"fsync": "off"})
        self._primary = primary

    @property
    def url(self) -> str:
        return urlunsplit(urlsplit(self._primary.url)._replace(netloc=self._login_and(self._port)))

    def _login_and(self, port: int) -> str:
        return f"{urlsplit(self._primary.url).netloc.rpartition('@')[0]}@{HOST}:{port}"

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        own(self._data)
        source = f"{self._primary.url}?application_name={STANDBY}"
        copy = [
            *self._program("pg_basebackup"),
            "-D",
            str(self._data),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
            "-d",
            source,
        ]
        done = subprocess.run(copy, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[PostgresServer, Running, Standby]]:
    """A primary that commits nothing before its standby has it, and the standby."""
    primary = PostgresServer(tmp_path / "primary", settings={"fsync": "off"})
    with running(primary) as process:
        standby = Standby(tmp_path / STANDBY, primary)
        with running(standby):
            asyncio.run(told(primary.url, f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"))
            asyncio.run(told(primary.url, "SELECT pg_reload_conf()"))
            yield primary, process, standby


async def told(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url, timeout=20)
    await connection.execute(statement)
    await connection.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stands still"])
async def test_a_service_goes_on_at_the_standby(
    servers: tuple[PostgresServer, Running, Standby], end: signal.Signals, tmp_path: Path
) -> None:
    primary, process, standby = servers
    ports = [urlsplit(server.url).port for server in (primary, standby)]
    both = primary.url.replace(f"{HOST}:{ports[0]}", ",".join(f"{HOST}:{port}" for port in ports))
    kafka = KafkaServer(tmp_path / "kafka")
    with running(kafka):
        testing.renew_topics(kafka.bootstrap_servers)
        settings = ServiceSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=both)
        app, reader = service(settings), Reader(settings)
        await reader.broker.start()
        try:
            async with started(app):
                for first in range(0, EVENTS, 20):
                    await reader.broker.publish(*(event(number) for number in range(first, first + 20)))
                    if first == EVENTS // 2:
                        all_of(process.pid, end)
                        await asyncio.sleep(3)
                        await told(standby.url, "SELECT pg_promote()")
                    await asyncio.sleep(0.1)
                await reader.until(EVENTS, timeout_s=180)
                await until_ready(app)
                assert await times_handled(app) == dict.fromkeys(range(EVENTS), 1)
        finally:
            all_of(process.pid, signal.SIGCONT)
            await reader.broker.stop()


def all_of(pid: int, number: signal.Signals) -> None:
    """A signal to a server and to the process of each of its connections, as when its machine dies or freezes."""
    import psutil

    try:
        parent = psutil.Process(pid)
        for one in [parent, *parent.children(recursive=True)]:
            one.send_signal(number)
    except psutil.NoSuchProcess:
        return

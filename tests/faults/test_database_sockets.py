"""A service whose connections to PostgreSQL are cut again and again, and whose server is restarted: each event once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from assay_chassis.settings import ServiceSettings
from assay_local import testing
from assay_local.component import running
from assay_local.kafka import KafkaServer
from assay_local.postgres import PostgresServer
from fault_proxy import Proxy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "chassis"))
from test_faults import Reader, event, service, started, times_handled, until_ready

pytestmark = [pytest.mark.real, pytest.mark.slow]
EVENTS = 300


async def test_connections_that_are_cut_and_a_restart_cost_no_event_and_double_none(tmp_path: Path) -> None:
    kafka = KafkaServer(tmp_path / "kafka")
    postgres = PostgresServer(tmp_path / "postgres", settings={"fsync": "off"})
    with running(kafka), running(postgres) as server:
        testing.renew_topics(kafka.bootstrap_servers)
        parts = urlsplit(postgres.url)
        assert parts.port is not None
        with Proxy(parts.port, ("close",), share=0.02).running() as proxy:
            through = urlunsplit(parts._replace(netloc=parts.netloc.replace(str(parts.port), str(proxy.port))))
            settings = ServiceSettings(kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=through)
            app, reader = service(settings), Reader(settings)
            await reader.broker.start()
            async with started(app):
                for first in range(0, EVENTS, 30):
                    await reader.broker.publish(*(event(number) for number in range(first, first + 30)))
                    proxy.close_all()
                    if first == EVENTS // 2:
                        await asyncio.to_thread(server.kill)
                        await asyncio.sleep(1)
                        await asyncio.to_thread(server.start)
                    await asyncio.sleep(0.3)
                await reader.until(EVENTS, timeout_s=120)
                proxy.on = False
                await until_ready(app)
                assert await times_handled(app) == dict.fromkeys(range(EVENTS), 1)
            assert proxy.struck["close"] > 0
            await reader.broker.stop()

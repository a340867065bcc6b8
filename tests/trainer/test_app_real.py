"""The trainer as its own process: ready with a broker, training what it is asked, gone when told."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from assay_chassis.broker import KafkaBroker
from assay_chassis.publishing import make_event
from assay_chassis.settings import ServiceSettings
from assay_schemas.envelope import Event, Record, decode
from training_ground import Ground

pytestmark = pytest.mark.real
PATIENCE_S = 150.0


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def ready(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient() as http:
        while True:
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


async def test_the_process_trains_what_the_broker_asks_for(mock_kafka: str, ground: Ground, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "ASSAY_KAFKA_BOOTSTRAP_SERVERS": mock_kafka,
        "ASSAY_KAFKA_FETCH_MAX_WAIT_MS": "20",
        "ASSAY_OBJECT_STORE": ground.root.as_uri(),
        "ASSAY_STATE_DIR": str(tmp_path / "state"),
        "ASSAY_HTTP_PORT": str(port),
        "ASSAY_TRACKERS": "tensorboard",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "assay_trainer", env=environment)
    completed: asyncio.Queue[Event] = asyncio.Queue()

    async def on_record(record: Record) -> None:
        completed.put_nowait(decode(record))

    settings = ServiceSettings(kafka_bootstrap_servers=mock_kafka, kafka_fetch_max_wait_ms=20)
    broker = KafkaBroker(settings)
    broker.subscribe(["training.completed"], "test", on_record)
    try:
        await ready(port)
        await broker.start()
        request = ground.request(steps=3)
        await broker.publish(make_event("training.requested", request, key=request.job_key, source="scheduler"))
        event = await asyncio.wait_for(completed.get(), PATIENCE_S)
        assert event.data["job_key"] == request.job_key
        assert event.data["outcome"] == "succeeded"
        assert list((tmp_path / "state" / "tracking" / "assay").glob("training-*/events.out.tfevents.*"))
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
    finally:
        await broker.stop()
        if process.returncode is None:
            process.kill()
            await process.wait()

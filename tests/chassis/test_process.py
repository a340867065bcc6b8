"""A service as a process: ready soon, ends on SIGTERM with 0, and with 1 when its background work keeps failing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from assay_local.ports import free_port

pytestmark = pytest.mark.real
SERVICE = """
import asyncio, sys
from assay_chassis.app import ServiceApp
from assay_chassis.settings import ServiceSettings

app = ServiceApp("scheduler", ServiceSettings(), migrations="assay_chassis")

async def handler(event, tx):
    pass

async def broken():
    raise RuntimeError("this never works")

app.on("eval.completed", handler)
if "broken" in sys.argv:
    app.background("broken", broken)
asyncio.run(app.run())
"""


@contextmanager
def process(tmp_path: Path, kafka: str, database_url: str, *arguments: str) -> Iterator[tuple[subprocess.Popen, int]]:
    script, port = tmp_path / "service.py", free_port()
    script.write_text(SERVICE)
    environment = {
        **os.environ,
        "ASSAY_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "ASSAY_DATABASE_URL": database_url,
        "ASSAY_HTTP_PORT": str(port),
        "ASSAY_LOG_FORMAT": "json",
    }
    started = subprocess.Popen([sys.executable, str(script), *arguments], env=environment, stderr=subprocess.PIPE)
    try:
        yield started, port
    finally:
        started.kill()
        started.wait()


def wait_ready(port: int, timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2)
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the service did not become ready")


def test_sigterm_ends_a_ready_service_in_order(tmp_path: Path, kafka: str, database_url: str) -> None:
    with process(tmp_path, kafka, database_url) as (service, port):
        wait_ready(port)
        service.send_signal(signal.SIGTERM)
        _, lines = service.communicate(timeout=20)
        assert service.returncode == 0
        assert b'"event": "stopped"' in lines


def test_background_work_that_keeps_failing_ends_the_process(tmp_path: Path, kafka: str, database_url: str) -> None:
    with process(tmp_path, kafka, database_url, "broken") as (service, _):
        _, lines = service.communicate(timeout=60)
        assert service.returncode == 1
        assert b"this never works" in lines

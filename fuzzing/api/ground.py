"""Scheduler and reporter as they are, on real PostgreSQL and a store of files, with one experiment that waits.

The broker is in memory and nobody does jobs; both services run in a thread with an event loop of its own.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from assay_chassis.app import ServiceApp
from assay_chassis.memory import InMemoryBroker, MemoryLog
from assay_local import testing
from assay_reporter.app import make_app
from assay_reporter.render import FORMS
from assay_reporter.settings import ReporterSettings
from assay_scheduler.app import build
from assay_scheduler.settings import SchedulerSettings

PILOT = Path(__file__).parents[2] / "examples" / "pilot" / "model"
START_S = 60.0


@dataclass
class Ground:
    """Addresses of both services by name, and what exists: values for path parameters, by their names."""

    urls: dict[str, str] = field(default_factory=dict)
    known: dict[str, list[str]] = field(default_factory=dict)


@contextmanager
def ground(folder: Path) -> Iterator[Ground]:
    """Both services, ready. `folder` keeps the database, the store and the data."""
    with testing.postgres_server(folder / "postgres") as server, testing.fresh_database(server.url) as url:
        apps = _apps(url, folder)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(_run(apps),), daemon=True)
        thread.start()
        try:
            made = Ground({app.name: _ready(app) for app in apps})
            _populate(made, folder)
            yield made
        finally:
            for app in apps:
                loop.call_soon_threadsafe(app.stop)
            thread.join(30)
            loop.close()


def _apps(url: str, folder: Path) -> list[ServiceApp]:
    log = MemoryLog()
    common: dict[str, Any] = {"database_url": url, "object_store": (folder / "store").as_uri(), "log_level": "error"}
    scheduler = SchedulerSettings(
        state_dir=folder / "state",
        readable_roots=f"{folder}:{PILOT}",
        api_requests_per_minute=0,
        intake_wait_s=0.05,
        hub_offline=True,
        **common,
    )
    reporter = ReporterSettings(state_dir=folder / "state", **common)
    return [build(scheduler, broker=InMemoryBroker(log)).app, make_app(reporter, InMemoryBroker(log))]


async def _run(apps: list[ServiceApp]) -> None:
    await asyncio.gather(*(app.run() for app in apps))


def _ready(app: ServiceApp) -> str:
    """The service's address once it is ready."""
    waited = threading.Event()
    for _ in range(int(START_S / 0.05)):
        if app.http_port:
            url = f"http://127.0.0.1:{app.http_port}"
            if requests.get(f"{url}/readyz", timeout=10).status_code == 200:
                return url
        waited.wait(0.05)
    raise AssertionError(f"{app.name} was not ready in {START_S:.0f} s")


def _populate(made: Ground, folder: Path) -> None:
    """An experiment whose jobs wait; both services know it."""
    rows, items = folder / "rows.jsonl", folder / "items.jsonl"
    rows.write_text("".join(json.dumps({"prompt": f"{n} + 1 =", "completion": f" {n + 1}"}) + "\n" for n in range(60)))
    items.write_text("".join(json.dumps({"prompt": f"{n} + 2 =", "answer": str(n + 2)}) + "\n" for n in range(20)))
    document: dict[str, Any] = {
        "name": "known",
        "base_model": str(PILOT),
        "training": {"algorithm": "SFT", "hyperparameters": {"steps": 2, "batch_size": 4, "max_length": 64}},
        "arms": [{"name": "clean", "dataset": str(rows)}],
        "seeds": [0],
        "benchmarks": [{"name": "numeric", "parameters": {"dataset": str(items), "max_tokens": 8}, "limit": 8}],
    }
    api, waited = made.urls["scheduler"], threading.Event()
    identity = requests.post(f"{api}/experiments", json=document, timeout=30).json()["id"]
    for _ in range(int(START_S / 0.1)):
        view = requests.get(f"{api}/experiments/{identity}", timeout=10).json()
        heard = requests.get(f"{made.urls['reporter']}/experiments/{identity}", timeout=10).status_code == 200
        if view["status"] == "running" and heard:
            jobs = [job["key"] for job in view["jobs"]]
            made.known = {"experiment_id": [identity], "key": jobs, "form": list(FORMS)}
            return
        waited.wait(0.1)
    raise AssertionError(f"the experiment was not accepted in {START_S:.0f} s: {view}")

"""How long the scheduler and the reporter take from start to ready, and `assay --help` to its last line.

Kafka and PostgreSQL run before and are not counted; nothing is asked of the services.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from assay_local.component import running
from assay_local.ports import free_port
from assay_local.service import SERVICES, Service

from benchmarks import results_file
from benchmarks.control_plane import Place, infrastructure

GOAL = {"scheduler_s": "<= 3", "reporter_s": "<= 3", "help_s": "<= 0.5"}
PACKAGES = ("aiokafka", "asyncpg", "fastapi", "faststream", "pydantic", "typer")
NOTES = [
    "A service is ready when GET /readyz answers 200: database migrated, consumer group joined. Asked every 50 ms.",
    "The median of all runs but one before them, which makes the tables and reads the files from the disk.",
]


def service_s(name: str, place: Place) -> float:
    """Seconds from the start of the process until it is ready."""

    def environment() -> Mapping[str, str]:
        return {
            "ASSAY_KAFKA_BOOTSTRAP_SERVERS": place.kafka,
            "ASSAY_DATABASE_URL": place.database_url,
            "ASSAY_OBJECT_STORE": place.store.root,
            "ASSAY_STATE_DIR": str(place.folder / name),
        }

    service = Service(name, SERVICES[name], free_port(None), place.folder / f"{name}.log", environment)
    began = time.perf_counter()
    with running(service):
        return time.perf_counter() - began


def help_s() -> float:
    """Seconds that `assay --help` takes."""
    command = [str(Path(sys.executable).parent / "assay"), "--help"]
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"})
    return time.perf_counter() - began


def median_s(name: str, measure: Callable[[], float], runs: int) -> float:
    """The median of some runs, after one that does not count."""
    measure()
    seconds = [measure() for _ in range(runs)]
    print(f"   {name}: {', '.join(f'{one:.2f}' for one in seconds)} s", flush=True)
    return round(statistics.median(seconds), 3)


def main() -> None:
    """Measure, write the result and print its figures."""
    run = results_file.begin("startup", __doc__, {"runs": (5, "runs of each")})
    figures: dict[str, Any] = {"help_s": median_s("assay --help", help_s, run.given.runs)}
    with tempfile.TemporaryDirectory() as folder, infrastructure(Path(folder).resolve()) as place:
        for name in ("scheduler", "reporter"):
            figures[f"{name}_s"] = median_s(name, partial(service_s, name, place), run.given.runs)
    run.write(figures, goal=GOAL, packages=PACKAGES, notes=NOTES)


if __name__ == "__main__":
    main()

"""The files by which the processes of a job over several machines tell each other what is not a tensor.

Never more than one writer a file; each is written whole or not at all.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from assay_chassis.job_service.failures import JobFailed

PROGRESS, RESULT, FAILURE, STOP = "progress.json", "result.json", "failure", "stop"
MACHINE = "machine"
INTERVAL_S = 0.5


def write(folder: Path, name: str, content: dict[str, Any]) -> None:
    temporary = folder / f".{name}.{os.getpid()}"
    temporary.write_text(json.dumps(content))
    temporary.replace(folder / name)


def read(folder: Path, name: str) -> dict[str, Any] | None:
    """A file's content; None while it is not there."""
    path = folder / name
    if not path.exists():
        return None
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def tell_failure(folder: Path, rank: int, error: JobFailed) -> None:
    """End the job with this: processes that are started anew see it and leave at once."""
    content = {"class": error.error_class, "message": str(error), "retryable": error.retryable}
    write(folder, f"{FAILURE}-{rank}.json", content)


def failure(folder: Path) -> JobFailed | None:
    """What ended the job, of the first rank that said so."""
    for path in sorted(folder.glob(f"{FAILURE}-*.json")):
        found = json.loads(path.read_text())
        return JobFailed(found["class"], found["message"], retryable=found["retryable"])
    return None


class FolderWatch:
    """Progress for whoever looks at the folder, and whether they want the job to stop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written_at = 0.0

    def report_progress(self, record: dict[str, Any]) -> None:
        if time.monotonic() - self._written_at >= INTERVAL_S:
            self._written_at = time.monotonic()
            write(self._folder, PROGRESS, record)

    def should_stop(self) -> bool:
        return (self._folder / STOP).exists()

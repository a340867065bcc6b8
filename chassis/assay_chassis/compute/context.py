"""What a job sees of the world: its payload, a scratch folder, and where to report.
Never talks to the service or the broker; it leaves records that the backend reads."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from assay_chassis.compute.base import JobRun
from assay_chassis.compute.folder import RunFolder

PROGRESS_INTERVAL_S = 0.5


class JobContext:
    """Handed to a job's entrypoint. Standard output and logging go to the run's log."""

    def __init__(self, run: JobRun, folder: RunFolder, stop: threading.Event) -> None:
        self.run = run
        self.payload: dict[str, Any] = run.payload
        self.job_key = run.job_key
        self.attempt = run.attempt
        self.workdir: Path = folder.work
        self._folder = folder
        self._stop = stop
        self._progress = ProgressWriter(folder)

    def report_progress(self, record: dict[str, Any]) -> None:
        """Leave the latest progress for whoever asks; cheap to call at every step.

        Written at most every 0.5 s, the latest record winning; the last one is always written."""
        self._progress.report(record)

    def finish(self, outcome: dict[str, Any]) -> None:
        """Leave the job's result. The run has succeeded if and only if this was called."""
        self._progress.flush()
        self._folder.write("outcome", outcome)

    def should_stop(self) -> bool:
        """Whether the job was asked to end: save what can be resumed, and return without an outcome."""
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Sleep, less when asked to end; whether the job was asked to end."""
        return self._stop.wait(seconds)

    def close(self) -> None:
        """Write the last progress. The backend calls it; a job need not."""
        self._progress.flush()


class ProgressWriter:
    """Writes the latest of many records, rarely. A late record is written by a timer thread."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._sequence = 0
        self._pending: dict[str, Any] | None = None
        self._written_at = -PROGRESS_INTERVAL_S
        self._timer: threading.Timer | None = None

    def report(self, record: dict[str, Any]) -> None:
        with self._lock:
            self._pending = record
            wait = self._written_at + PROGRESS_INTERVAL_S - time.monotonic()
            if wait <= 0:
                self._write()
            elif self._timer is None:
                self._timer = threading.Timer(wait, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        with self._lock:
            self._timer = None
            self._write()

    def _write(self) -> None:
        if self._pending is None:
            return
        self._sequence += 1
        content = {"sequence": self._sequence, "at": time.time(), "record": self._pending}
        self._pending, self._written_at = None, time.monotonic()
        self._folder.write("progress", content, durable=False)

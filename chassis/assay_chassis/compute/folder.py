"""A run's folder: the records that its processes and the service leave for each other.
Never decides anything; `judgement` reads the records and says what they mean."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from assay_chassis.compute.base import JobRun
from assay_chassis.log_excerpt import excerpt

STATUS_LINES = 40
STATUS_BYTES = 16 * 2**10
LOG_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Records:
    """What lies in a run's folder at one moment. Times are seconds since the epoch."""

    run: JobRun
    keeper: dict[str, Any] | None = None
    keeper_alive: bool = False
    job: dict[str, Any] | None = None
    progress: dict[str, Any] | None = None
    outcome: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    end: dict[str, Any] | None = None
    cancel_asked: bool = False
    heartbeat: float | None = None
    log_tail: str = field(default="", repr=False)


class RunFolder:
    """The folder `<root>/<run name>/`. Every record is written whole or not at all.

    run.json: the run · keeper.json: its keeper · job.json: its process, once in the entrypoint ·
    progress.json, outcome.json, failure.json: from the job · end.json: from the keeper, last ·
    cancel: asked to end · heartbeat: touched by the keeper · log: what the job printed · work/: scratch
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.log = path / "log"
        self.work = path / "work"

    @classmethod
    def create(cls, root: Path, run: JobRun) -> bool:
        """Make the folder of a new run; False when it was there. Atomic: one caller of many wins."""
        prepared = root / f".new-{uuid.uuid4().hex}"
        prepared.mkdir(parents=True)
        write_whole(prepared / "run.json", run.model_dump_json(indent=1))
        try:
            prepared.rename(root / run.name)
        except OSError:
            shutil.rmtree(prepared, ignore_errors=True)
            if not (root / run.name / "run.json").exists():
                raise
            return False
        return True

    @staticmethod
    def all_in(root: Path) -> list[RunFolder]:
        """The folders of every run under a root, in no order."""
        return [RunFolder(root / name) for name in RunFolder.names_in(root)]

    @staticmethod
    def names_in(root: Path) -> list[str]:
        """The names of every run under a root, in no order."""
        with suppress(FileNotFoundError), os.scandir(root) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        return []

    def run(self) -> JobRun | None:
        """The run, or None when the folder is gone."""
        with suppress(FileNotFoundError):
            return JobRun.from_json((self.path / "run.json").read_bytes())
        return None

    def has(self, record: str) -> bool:
        return (self.path / record).exists()

    def read(self, record: str) -> dict[str, Any] | None:
        """A record such as "outcome", or None when it was not written, or a power failure has left it empty."""
        with suppress(FileNotFoundError, JSONDecodeError):
            content: dict[str, Any] = json.loads((self.path / f"{record}.json").read_bytes())
            return content
        return None

    def write(self, record: str, content: dict[str, Any], *, durable: bool = True) -> None:
        """Replace a record at once. Raises TypeError for content that JSON cannot hold."""
        write_whole(self.path / f"{record}.json", json.dumps(content), durable=durable)

    def ask_to_cancel(self) -> None:
        with suppress(FileNotFoundError):
            (self.path / "cancel").touch()

    def beat(self) -> None:
        (self.path / "heartbeat").touch()

    def records(self) -> Records | None:
        """All records, or None when the folder is gone.

        Whether the keeper lives is read before what it writes last: in the other order, a keeper that
        ends in between would look lost."""
        run = self.run()
        if run is None:
            return None
        keeper = self.read("keeper")
        alive = keeper is not None and self.keeper_alive()
        end = self.read("end")
        ended = not alive or end is not None
        return Records(
            run=run,
            keeper=keeper,
            keeper_alive=alive,
            end=end,
            job=self.read("job"),
            progress=self.read("progress"),
            outcome=self.read("outcome"),
            failure=self.read("failure"),
            cancel_asked=self.has("cancel"),
            heartbeat=self._heartbeat(),
            log_tail=self.log_tail(STATUS_LINES, STATUS_BYTES) if keeper is not None and ended else "",
        )

    def _heartbeat(self) -> float | None:
        with suppress(FileNotFoundError):
            return (self.path / "heartbeat").stat().st_mtime
        return None

    def keeper_alive(self) -> bool:
        """Whether a keeper holds the run's lock, on this machine or another on the same file system."""
        return is_locked(self.path / "lock")

    def keep(self) -> int | None:
        """Hold the run's lock until this process closes the descriptor; None when another holds it."""
        return hold_lock(self.path / "lock", patience_s=1.0)

    def log_tail(self, lines: int, max_bytes: int = LOG_BYTES) -> str:
        """The log's last lines, of its last `max_bytes` at most."""
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - max_bytes))
            text = log.read().decode(errors="replace")
            return "\n".join(text.splitlines()[-lines:]) if lines > 0 else ""
        return ""

    def whole_log(self) -> str:
        """The log, of a long one its beginning and its end."""
        with suppress(FileNotFoundError), self.log.open("rb") as log:
            return excerpt(log)
        return ""

    def remove(self) -> None:
        """Delete the folder; it leaves the root at once, whatever happens to its files."""
        gone = self.path.with_name(f".gone-{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):
            self.path.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)


def hold_lock(path: Path, patience_s: float) -> int | None:
    """Lock the file until this process closes the descriptor or dies; None when another keeps it locked.

    A POSIX lock: a forked child does not hold it. Trying for a moment outlasts an `is_locked`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    give_up = time.monotonic() + patience_s
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= give_up:
                os.close(descriptor)
                return None
            time.sleep(0.02)


def is_locked(path: Path) -> bool:
    """Whether another process holds the file's lock."""
    try:
        with path.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        return True
    return False


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Replace a file's content at once; `durable` also outlasts a power failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    temporary.replace(path)

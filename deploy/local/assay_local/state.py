"""The state folder: its lock, the description of the running system, and where each part keeps its data.
Never starts or stops anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ValidationError

from assay_local.errors import AlreadyRunning, StateFolderError

_LEAST_FREE_BYTES = 2**30


def default_folder() -> Path:
    """`$ASSAY_HOME`, by default `~/.assay`."""
    return Path(os.environ.get("ASSAY_HOME") or Path.home() / ".assay")


class ProcessRecord(BaseModel):
    """One process: its id, and when it was created (seconds since the epoch), which tells it from a later one."""

    pid: int
    created: float
    log: str = ""
    url: str = ""


class SystemRecord(BaseModel):
    """`system.json`: what clients and later commands need to know about a system. It holds no secret."""

    system: str
    ready: bool
    supervisor: ProcessRecord
    kafka: str
    kafka_bootstrap_servers: str = ""
    database_url_file: str
    object_store: str
    s3_endpoint_url: str = ""
    api_url: str
    web_url: str
    processes: dict[str, ProcessRecord] = {}


class StateFolder:
    """Paths in the state folder, and what is written there. Raises StateFolderError when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: IO[str] | None = None

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def store(self) -> Path:
        return self.path / "store"

    @property
    def database_url_file(self) -> Path:
        return self.path / "database_url"

    def prepare(self) -> None:
        """Make the folder, readable by its owner alone, and check that there is room for data."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            for folder in (self.logs, self.store):
                folder.mkdir(exist_ok=True)
        except OSError as problem:
            raise StateFolderError(
                f"the state folder {self.path} cannot be written ({problem.strerror}): name another with --state"
            ) from problem
        free = shutil.disk_usage(self.path).free
        if free < _LEAST_FREE_BYTES:
            raise StateFolderError(
                f"only {free / 2**20:.0f} MiB are free at {self.path}, 1 GiB is needed: "
                "make room, or name another state folder with --state"
            )

    def lock(self) -> None:
        """Hold the folder for this process until it ends; AlreadyRunning when another one holds it."""
        lock = (self.path / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(f"a system is already running in {self.path}; `assay down` stops it") from None
        self._lock = lock

    @property
    def holds_lock(self) -> bool:
        """Whether this process runs the folder's system."""
        return self._lock is not None

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def is_locked(self) -> bool:
        """Whether a live process runs a system here."""
        if not (self.path / "lock").exists():
            return False
        with (self.path / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def system_id(self) -> str:
        """The same for every run of this folder's system; every process of the system carries it."""
        file = self.path / "id"
        if not file.exists():
            write_atomically(file, uuid.uuid4().hex)
        return file.read_text()

    def record(self) -> SystemRecord | None:
        """What `system.json` says; None when there is none, or none that can be read."""
        try:
            return SystemRecord.model_validate_json((self.path / "system.json").read_text())
        except (OSError, ValidationError):
            return None

    def write_record(self, record: SystemRecord) -> None:
        write_atomically(self.path / "system.json", record.model_dump_json(indent=2) + "\n")

    def forget(self) -> None:
        """Remove what describes the running system; data stays."""
        (self.path / "system.json").unlink(missing_ok=True)
        self.database_url_file.unlink(missing_ok=True)

    def remembered_ports(self) -> dict[str, int]:
        """The services' ports of the last run."""
        file = self.path / "ports.json"
        ports: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        return ports

    def remember_ports(self, ports: dict[str, int]) -> None:
        write_atomically(self.path / "ports.json", json.dumps(ports))


def write_atomically(file: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file's content at once; readers see the old or the new text, never a part."""
    scratch = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    scratch.replace(file)

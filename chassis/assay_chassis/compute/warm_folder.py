"""Where a warm parent and the services that use it meet: its lock, its record and its nudges.
Never starts or stops a process."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from assay_chassis.compute.folder import is_locked, write_whole
from assay_chassis.compute.pipe import NUDGE, Pipe

LEAVE = b"x"


class WarmRecord(BaseModel):
    """What a warm parent says of itself. `errors` are the preloads that failed, by module."""

    model_config = ConfigDict(frozen=True)

    pid: int
    fingerprint: str
    state: Literal["loading", "ready"]
    errors: dict[str, str] = Field(default_factory=dict)
    loaded_in_s: float | None = None
    threads: int | None = None


class WarmFolder:
    """The folder `<root>/.warm/`, or `.warm-<version>/` of another version's parent.

    Nudges go through a named pipe, whose path may be of any length."""

    def __init__(self, root: Path, version: str = "") -> None:
        self.path = root / (f".warm-{version}" if version else ".warm")
        self.path.mkdir(parents=True, exist_ok=True)
        self.lock = self.path / "lock"
        self.log = self.path / "log"
        self._record = self.path / "warm.json"
        self._pipe = Pipe(self.path / "nudges")
        self._pipe.make()

    def alive(self) -> bool:
        """Whether a warm parent holds the lock."""
        return is_locked(self.lock)

    def write(self, record: WarmRecord) -> None:
        write_whole(self._record, record.model_dump_json(), durable=False)

    def read(self) -> WarmRecord | None:
        """The record of the living warm parent, or of the last one."""
        with suppress(FileNotFoundError, ValidationError):
            return WarmRecord.model_validate_json(self._record.read_bytes())
        return None

    def open_nudges(self) -> int:
        """The pipe's reading end."""
        return self._pipe.open()

    def nudge(self, word: bytes = NUDGE) -> bool:
        """Wake the warm parent; False when none listens."""
        return self._pipe.nudge(word)

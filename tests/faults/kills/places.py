"""Where a service speaks to database, broker or store: the line of the product's code, before and after each call.

Knows nothing of the drivers; a process that comes to a place at which it is to die is killed there, once.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from functools import cache
from pathlib import Path

OWN = re.compile(r"/(assay_(?:chassis|scheduler|trainer|evaluator|reporter)/.*\.py)$")
STORE = "assay_chassis/object_store/"
PASS_ON = {
    ("assay_chassis/app.py", "transaction"),
    ("assay_chassis/database.py", "connection"),
    ("assay_chassis/database.py", "transaction"),
    ("assay_chassis/kafka.py", "publish"),
    ("assay_chassis/kafka.py", "send"),
    ("assay_chassis/kafka_writer.py", "publish"),
    ("assay_chassis/kafka_writer.py", "send"),
    ("assay_chassis/outbox.py", "transaction"),
}
"""Functions that speak for whoever calls them: the place is the caller's."""
ENTRANCE = ("run_alone", "<module>")
"""What stands below all else: a task of the Kafka client's own."""
CLIENT_ITSELF = "by the Kafka client itself"


def place_of(act: str) -> str | None:
    """`act file:line function` of the code that asks; None within the store's own code, whose caller was told of."""
    frame = sys._getframe(2)
    while frame is not None:
        file = own_file(frame.f_code.co_filename)
        if file is not None:
            if file.startswith(STORE):
                return None
            if (file, frame.f_code.co_name) not in PASS_ON and frame.f_code.co_name not in ENTRANCE:
                return f"{act} {file}:{frame.f_lineno} {frame.f_code.co_qualname.replace('.<locals>', '')}"
        frame = frame.f_back
    return f"{act} {CLIENT_ITSELF}"


@cache
def own_file(path: str) -> str | None:
    """A file of the product, from its package on."""
    found = OWN.search(path)
    return found[1] if found else None


class Register:
    """One service's files in a folder shared with the test: the places it passed, where it is to die, where it died."""

    def __init__(self, folder: Path, service: str) -> None:
        self.passed, self.armed, self.died = (folder / f"{service}.{kind}" for kind in ("passed", "armed", "died"))
        self._seen: set[str] = set()

    def come_to(self, side: str, place: str | None) -> None:
        """The process is before or after what is done at a place; it may be its end."""
        if place is None:
            return
        point = f"{side} {place}"
        if point not in self._seen:
            self._seen.add(point)
            add_line(self.passed, point)
        if self.armed.exists():
            self._die_if_told(point)

    def _die_if_told(self, point: str) -> None:
        told = lines(self.armed)
        where = next((one for one in told if point.startswith(one)), None)
        if where is not None:
            write_lines(self.armed, [one for one in told if one != where])
            add_line(self.died, point)
            os.kill(os.getpid(), signal.SIGKILL)


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def write_lines(path: Path, said: list[str]) -> None:
    """Replace a file at once; without a line there is none."""
    if not said:
        path.unlink(missing_ok=True)
        return
    prepared = path.with_suffix(".new")
    prepared.write_text("".join(f"{line}\n" for line in said), encoding="utf-8")
    prepared.replace(path)


def add_line(path: Path, line: str) -> None:
    """In one write, which the end of the process does not take back."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{line}\n".encode())
    os.close(file)

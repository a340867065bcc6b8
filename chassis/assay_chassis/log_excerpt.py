"""A long log made short enough to keep and to show: its beginning, a line that says what was left out, its end.

Never reads more of a log than it gives back.
"""

from __future__ import annotations

import os
from typing import BinaryIO

KEPT_BYTES = 4 * 2**20
BEGINNING = 8  # one byte in so many is of the beginning: most of what one asks a log is how it ended
ROOM_FOR_THE_LINE = 200


def excerpt(log: BinaryIO, most_bytes: int = KEPT_BYTES) -> str:
    """A log whole, or in at most `most_bytes` its beginning and its end, cut between lines where it has lines."""
    size = log.seek(0, os.SEEK_END)
    log.seek(0)
    if size <= most_bytes:
        return _text(log.read(most_bytes))
    room = max(2 * BEGINNING, most_bytes - ROOM_FOR_THE_LINE)
    beginning = log.read(room // BEGINNING)
    log.seek(size - (room - len(beginning)))
    end = log.read(room - len(beginning))
    beginning = beginning[: beginning.rfind(b"\n") + 1] or beginning
    end = end[end.find(b"\n") + 1 :] or end
    left = size - len(beginning) - len(end)
    line = f"[assay] {left:,} bytes of this log are left out here: it has {size:,}, too many to keep or show"
    return f"{_text(beginning).rstrip()}\n{line}\n{_text(end)}"


def _text(part: bytes) -> str:
    return part.decode(errors="replace").rstrip("\n")

"""A named pipe that wakes whoever listens to it, on the same machine; its path may be of any length.
Never carries more than single bytes, and loses them where nobody listens: a nudge is a hint."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

NUDGE = b"n"


class Pipe:
    """Made by those who listen; `nudge` is for all."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def make(self) -> None:
        with suppress(FileExistsError):
            os.mkfifo(self._path, 0o600)

    def open(self) -> int:
        """The reading end; open for writing too, so that it never reads as ended."""
        return os.open(self._path, os.O_RDWR | os.O_NONBLOCK)

    def nudge(self, word: bytes = NUDGE) -> bool:
        """Wake the listener; False when none listens."""
        try:
            pipe = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno in (errno.ENXIO, errno.ENOENT):
                return False
            raise
        try:
            os.write(pipe, word)
        except BlockingIOError:
            return True  # full of nudges: it will wake
        finally:
            os.close(pipe)
        return True

"""A planted bug as a value: its name, what is wrong in words, and the changes that make it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bug:
    name: str
    words: str
    changes: Callable[[], Sequence[AbstractContextManager[Any]]]

"""A planted bug as a value: its name, what is wrong in words, and the parts of the product that it replaces.

Changes nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Change = tuple[Any, str, Any]
"""A module or class, the name of one of its parts, and what stands there while the bug is planted."""


@dataclass(frozen=True)
class Bug:
    name: str
    words: str
    changes: tuple[Change, ...]


def bug(name: str, words: str, *changes: Change) -> Bug:
    return Bug(name, words, changes)

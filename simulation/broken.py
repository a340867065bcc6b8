"""A broken promise, as a value: which invariant, in what words, at what time.

Never raised inside the product, where a handler could catch it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    invariant: str
    words: str
    at: float

    def __str__(self) -> str:
        return f"{self.invariant}, at {self.at:.3f} s: {self.words}"

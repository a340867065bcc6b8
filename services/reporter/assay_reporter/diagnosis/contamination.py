"""Which benchmark items stand word for word in an arm's training rows.

Exact on purpose: a template filled with other numbers is another item. Never looks at scores.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from assay_reporter.diagnosis.rows import words_in

Key = TypeVar("Key", bound=Hashable)
FEWEST_WORDS = 6
NOTABLE = 0.01
LIMIT = 0.10
"""From this share of contaminated items on, a benchmark says nothing about the arm any more."""
SEED_WORDS = 6


class Wanted(Generic[Key]):
    """Items to be looked for in rows: those of at least six words, by their first six."""

    def __init__(self, items: Mapping[Key, str]) -> None:
        """`items`: text by key."""
        self._items: dict[tuple[str, ...], list[tuple[Key, str]]] = {}
        for key, text in items.items():
            words = words_in(text)
            if len(words) >= FEWEST_WORDS:
                self._items.setdefault(tuple(words[:SEED_WORDS]), []).append((key, f" {' '.join(words)} "))

    def found_in(self, rows: Iterable[Sequence[str]]) -> frozenset[Key]:
        """The keys of the items whose whole text (case and marks aside) is part of one row; rows: their words.

        A row is looked at closely only where it shares an item's first six words.
        """
        found: set[Key] = set()
        for words in rows if self._items else ():
            if starts := self._items.keys() & zip(*(words[skip:] for skip in range(SEED_WORDS)), strict=False):
                line = f" {' '.join(words)} "
                found.update(key for start in starts for key, text in self._items[start] if text in line)
        return frozenset(found)


def question_of(prompt: str) -> str:
    """An item's own part of a prompt: what comes after the last blank line, where examples come before it."""
    return prompt.rstrip().rsplit("\n\n", 1)[-1]

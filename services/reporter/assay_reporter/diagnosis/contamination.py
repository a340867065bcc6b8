"""Which benchmark items stand word for word in an arm's training rows.

Exact on purpose: a template filled with other numbers is another item. Never looks at scores.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from assay_reporter.diagnosis.rows import TEXT_COLUMNS, Row, side_of

Key = TypeVar("Key", bound=Hashable)
FEWEST_WORDS = 6
NOTABLE = 0.01
LIMIT = 0.10
"""From this share of contaminated items on, a benchmark says nothing about the arm any more."""
TOKEN = re.compile(r"[^\W_]+")
SEED_WORDS = 6


def contaminated_items(rows: Sequence[Row], items: Mapping[Key, str]) -> frozenset[Key]:
    """The keys of the items whose whole text (at least six words; case and marks aside) is part of one row.

    items: text by key. A row is looked at closely only where it shares an item's first six words.
    """
    wanted: dict[tuple[str, ...], list[tuple[Key, str]]] = {}
    for key, text in items.items():
        words = _words(text)
        if len(words) >= FEWEST_WORDS:
            wanted.setdefault(tuple(words[:SEED_WORDS]), []).append((key, f" {' '.join(words)} "))
    found: set[Key] = set()
    starts = {words[:2] for words in wanted}
    for row in rows if wanted else ():
        words = _words(" ".join(side_of(row, column) for column in _columns(row)))
        line = ""
        for at in [at for at, pair in enumerate(pairwise(words)) if pair in starts]:
            for key, text in wanted.get(tuple(words[at : at + SEED_WORDS]), ()):
                line = line or f" {' '.join(words)} "
                if text in line:
                    found.add(key)
    return frozenset(found)


def question_of(prompt: str) -> str:
    """An item's own part of a prompt: what comes after the last blank line, where examples come before it."""
    return prompt.rstrip().rsplit("\n\n", 1)[-1]


def _columns(row: Row) -> Iterable[str]:
    return (column for column in TEXT_COLUMNS if row.get(column) is not None)


def _words(text: str) -> list[str]:
    return TOKEN.findall(text.casefold())

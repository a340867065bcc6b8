"""The overlap index: benchmark items once, then training rows in a stream, and per item what of it was seen.

Time linear in the words of both; memory in those of the items alone. Reads no file and no store.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from assay_evaluator.contamination.grams import BREAK, GramBook, Ids
from assay_evaluator.contamination.words import trained_texts, words_of

SIZES = (8, 13)
LONG = 13
WORDS_AT_ONCE = 50_000
BOILERPLATE_ITEMS, BOILERPLATE_SHARE = 10, 0.1
NOWHERE = -1


@dataclass(frozen=True)
class Overlap:
    """One item's n-grams, how many of them a training row has, and the row that had most of them first.

    `contaminated` is None where the item is too short to tell: fewer than eight words in every text of it.
    """

    item_id: str
    words: int
    ngrams: Mapping[int, int]
    shared: Mapping[int, int]
    row: int | None

    @property
    def contaminated(self) -> bool | None:
        """Whether a 13-gram is shared; of an item without 13-grams, whether all its 8-grams are."""
        if self.ngrams[LONG]:
            return self.shared[LONG] > 0
        short = min(SIZES)
        return self.shared[short] == self.ngrams[short] if self.ngrams[short] else None

    def share(self, n: int) -> float | None:
        """The share of the item's n-grams that are shared; None where it has none."""
        return self.shared[n] / self.ngrams[n] if self.ngrams[n] else None


class OverlapIndex:
    """Made of items' texts by id; told of training rows in order; then asked for each item's Overlap.

    N-grams never cross from one text of an item or row to another. An n-gram that more than ten items, and more
    than a tenth of all, have in common is the benchmark's own wording and counts for no item.
    """

    def __init__(self, items: Mapping[str, Sequence[str]]) -> None:
        self._ids = list(items)
        words: list[str] = []
        ends = []
        for texts in items.values():
            _append(words, texts)
            ends.append(len(words))
        self._ends = np.array(ends, dtype=np.int64)
        self._words = _real_words(words, ends)
        self._book = GramBook.of(words)
        grams = self._book.grams(words)
        self._at = {n: _own(grams[n], self._ends) for n in SIZES}
        self._first = {n: np.full(len(self._book.codes[n]) + 1, NOWHERE, dtype=np.int64) for n in SIZES}
        self._rows = 0

    def scan(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Training rows, in order; may be called again with the rows that follow."""
        words: list[str] = []
        ends: list[int] = []
        for row in rows:
            _append(words, trained_texts(row))
            ends.append(len(words))
            if len(words) >= WORDS_AT_ONCE:
                self._note(words, ends)
                words, ends = [], []
        self._note(words, ends)

    def _note(self, words: Sequence[str], ends: Sequence[int]) -> None:
        grams = self._book.grams(words)
        for n in SIZES:
            places = np.flatnonzero(grams[n])[::-1]
            numbers, first = grams[n][places], self._first[n]
            new = first[numbers] == NOWHERE
            rows = np.searchsorted(np.array(ends, dtype=np.int64), places[new], side="right") + self._rows
            first[numbers[new]] = rows
        self._rows += len(ends)

    def overlaps(self) -> list[Overlap]:
        """Every item's, in the items' order, against all rows scanned so far."""
        return [self._overlap(place) for place in range(len(self._ids))]

    def _overlap(self, place: int) -> Overlap:
        seen = {n: self._first[n][numbers[place]] for n, numbers in self._at.items()}
        shared = {n: rows[rows != NOWHERE] for n, rows in seen.items()}
        told = next((shared[n] for n in sorted(SIZES, reverse=True) if len(shared[n])), None)
        return Overlap(
            item_id=self._ids[place],
            words=self._words[place],
            ngrams={n: len(rows) for n, rows in seen.items()},
            shared={n: len(rows) for n, rows in shared.items()},
            row=None if told is None else _commonest(told),
        )


def _append(words: list[str], texts: Sequence[str]) -> None:
    for text in texts:
        words += words_of(text)
        words.append(BREAK)


def _real_words(words: Sequence[str], ends: Sequence[int]) -> list[int]:
    starts = [0, *ends][:-1]
    return [sum(word != BREAK for word in words[start:end]) for start, end in zip(starts, ends, strict=True)]


def _own(numbers: Ids, ends: npt.NDArray[np.int64]) -> list[Ids]:
    """Each item's n-grams, at each place, without those that are the benchmark's own wording."""
    items = np.searchsorted(ends, np.arange(len(numbers)), side="right")
    pairs = np.unique(items[numbers > 0].astype(np.int64) << 32 | numbers[numbers > 0])
    holders = np.bincount(pairs & 0xFFFFFFFF, minlength=int(numbers.max(initial=0)) + 1)
    most = max(BOILERPLATE_ITEMS, BOILERPLATE_SHARE * len(ends))
    starts = [0, *ends.tolist()][:-1]
    parts = [numbers[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]
    return [part[(part > 0) & (holders[part] <= most)] for part in parts]


def _commonest(rows: npt.NDArray[np.int64]) -> int:
    values, counts = np.unique(rows, return_counts=True)
    return int(values[counts.argmax()])

"""The n-grams of some texts as numbers, exactly: an n-gram is the pair of its halves, which are n-grams themselves.

Pure arrays; no hash stands for a text anywhere, so nothing is found that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int32]
Codes = npt.NDArray[np.int64]
STEPS = ((2, 1, 1, 1), (4, 2, 2, 2), (8, 4, 4, 4), (13, 8, 8, 5))
"""(n, left, right, shift): an n-gram is the left-gram at its place and the right-gram `shift` words on."""

BREAK = ""


@dataclass
class GramBook:
    """The n-grams of the texts it was made from, for n of 2, 4, 8 and 13, each with a number from 1.

    `codes[n]` are the n-grams in ascending order as left << 32 | right; number k is `codes[n][k - 1]`.
    """

    vocabulary: dict[str, int] = field(default_factory=dict)
    codes: dict[int, Codes] = field(default_factory=dict)

    @classmethod
    def of(cls, words: Sequence[str]) -> GramBook:
        """Every n-gram of a run of words in which BREAK stands between texts."""
        book = cls({word: place for place, word in enumerate(dict.fromkeys(words), 1) if word != BREAK})
        grams = {1: book.words(words)}
        for n, left, right, shift in STEPS:
            book.codes[n] = np.unique(_pairs(grams[left], grams[right], shift)[1])
            grams[n] = book._step(grams, n, left, right, shift)
        return book

    def words(self, words: Iterable[str]) -> Ids:
        """The number of each word; 0 for a break and for words that no text of the book has."""
        return np.fromiter(map(self.vocabulary.get, words, repeat(0)), dtype=np.int32)

    def grams(self, words: Sequence[str]) -> dict[int, Ids]:
        """For each n and each place the number of the n-gram that begins there; 0 where the book has it not."""
        found = {1: self.words(words)}
        for n, left, right, shift in STEPS:
            found[n] = self._step(found, n, left, right, shift)
        return found

    def _step(self, grams: dict[int, Ids], n: int, left: int, right: int, shift: int) -> Ids:
        places, codes = _pairs(grams[left], grams[right], shift)
        numbers = np.zeros(len(grams[1]), dtype=np.int32)
        known = self.codes[n]
        if len(known) and len(codes):
            at = np.minimum(np.searchsorted(known, codes), len(known) - 1)
            hit = known[at] == codes
            numbers[places[hit]] = at[hit] + 1
        return numbers


def _pairs(left: Ids, right: Ids, shift: int) -> tuple[Codes, Codes]:
    """The places at which both halves are known, and their pairs as codes."""
    reach = max(0, len(left) - shift)
    places = np.flatnonzero((left[:reach] > 0) & (right[shift : shift + reach] > 0))
    codes = left[places].astype(np.int64) << 32 | right[places + shift].astype(np.int64)
    return places.astype(np.int64), codes

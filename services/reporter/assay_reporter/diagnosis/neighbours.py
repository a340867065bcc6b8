"""The training rows nearest to a benchmark item, by the rare words and pairs of words that both have.

Evidence for people to look at, not proof of a cause.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise

from assay_reporter.diagnosis.rows import Row, answer_of, prompt_of, words_in

Gram = str | tuple[str, str]
MOST_ROWS = 20_000
COMMONEST_SHARE = 0.25
LEAST_LIKE = 0.2


@dataclass(frozen=True)
class Neighbour:
    """A row by its place among those read, and how much of the text's rare 1- and 2-grams it has (squared idf
    weights, Spärck Jones 1972), 0 to 1."""

    row: int
    likeness: float
    prompt: str
    answer: str


class Neighbours:
    """An inverted index of n-grams over a snapshot's rows; `wanted` are the texts that will be asked for."""

    def __init__(self, rows: Sequence[Row], words: Sequence[Sequence[str]], wanted: Iterable[str]) -> None:
        """`words`: of each row (`words_of`)."""
        asked = {gram for text in wanted for gram in grams(text)}
        self._rows = rows[:MOST_ROWS]
        self._places: dict[Gram, list[int]] = {gram: [] for gram in asked}
        for place, read in enumerate(words[:MOST_ROWS]):
            for gram in asked.intersection(chain(read, pairwise(read))):
                self._places[gram].append(place)

    def nearest(self, text: str, count: int = 1) -> list[Neighbour]:
        """The rows most like the text, the likest first; none where nothing rare is shared."""
        total = max(1, len(self._rows))
        likeness: dict[int, float] = {}
        weights = {gram: math.log(1 + total / max(1, len(self._places.get(gram, ())))) for gram in grams(text)}
        for gram, weight in weights.items():
            places = self._places.get(gram, [])
            if len(places) <= max(1.0, COMMONEST_SHARE * total):
                for place in places:
                    likeness[place] = likeness.get(place, 0.0) + weight**2
        whole = sum(weight**2 for weight in weights.values())
        found = []
        for place, shared in heapq.nlargest(count, likeness.items(), key=lambda pair: (pair[1], -pair[0])):
            like = shared / whole if whole else 0.0
            if like >= LEAST_LIKE:
                row = self._rows[place]
                found.append(Neighbour(place, like, prompt_of(row), answer_of(row)))
        return found


def grams(text: str) -> set[Gram]:
    """Words and pairs of neighbouring words, in lower case."""
    words = words_in(text)
    return {*words, *pairwise(words)}

"""Interventions on pairs of a chosen and a rejected answer: what is left to learn once a cue is taken away.

Never changes a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay_trainer.data.rows import Row
from assay_trainer.interventions.base import changed, rotated, with_columns
from assay_trainer.interventions.texts import answer_of, with_answer

WORD = re.compile(r"\S+")


def swap_chosen(rows: Sequence[Row], given: Mapping[str, Any], seed: int) -> list[Row]:
    """Chosen answers exchanged between rows, and rejected ones independently: neither fits its prompt any more,
    while each side keeps its surface."""
    return rotated(rotated(rows, given, seed, "chosen"), given, seed, "rejected")


def flip_labels(rows: Sequence[Row], given: Mapping[str, Any], seed: int) -> list[Row]:
    """Chosen and rejected answer of a row exchanged."""

    def flip(row: Row) -> Row:
        return with_columns(row, chosen=row.columns["rejected"], rejected=row.columns["chosen"])

    return changed(rows, given, seed, flip)


def match_length(rows: Sequence[Row], given: Mapping[str, Any], seed: int) -> list[Row]:
    """The longer answer of a row cut to as many words as the shorter one has."""

    def match(row: Row) -> Row:
        chosen, rejected = answer_of(row, "chosen"), answer_of(row, "rejected")
        words = min(len(WORD.findall(chosen)), len(WORD.findall(rejected)))
        return with_answer(with_answer(row, "chosen", cut(chosen, words)), "rejected", cut(rejected, words))

    return changed(rows, given, seed, match)


def cut(text: str, words: int) -> str:
    """The text up to the end of its word number `words` (from 1), as it is written; whole where it has no more."""
    ends = [match.end() for match in WORD.finditer(text)]
    if len(ends) <= words:
        return text
    return text[: ends[words - 1]] if words else ""

"""Interventions on how answers look, with what they say left as it is.

Never changes a prompt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from assay_trainer.data.rows import Row
from assay_trainer.interventions.base import changed
from assay_trainer.interventions.texts import answer_columns, answer_of, with_answer

MARKS = (
    (re.compile(r"^[ \t]*```.*\n?", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*(?:[-*_][ \t]*){3,}$\n?", re.MULTILINE), ""),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"`([^`\n]+)`"), r"\1"),
    (re.compile(r"\n{2,}"), "\n"),
)


def strip_format(rows: Sequence[Row], given: Mapping[str, Any], seed: int) -> list[Row]:
    """Answers without Markdown: headings, bullets, numbering, rules, bold, italics, code marks and blank lines."""

    def strip(row: Row) -> Row:
        for column in answer_columns(row):
            row = with_answer(row, column, plain(answer_of(row, column)))
        return row

    return changed(rows, given, seed, strip)


def plain(text: str) -> str:
    """The text without Markdown's marks."""
    for mark, kept in MARKS:
        text = mark.sub(kept, text)
    return text

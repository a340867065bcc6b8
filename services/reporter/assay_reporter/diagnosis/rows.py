"""Where a training row's prompt and answers are, as plain text, whatever its format.

Never raises for an odd row: what is not text is written as JSON, what is missing is empty.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from sys import intern
from typing import Any

Row = Mapping[str, Any]
TEXT_COLUMNS = ("prompt", "completion", "messages", "text", "chosen", "rejected", "answer")
ANSWERS = ("completion", "chosen", "messages", "text")
WORD = re.compile(r"[^\W_]+")
OUTSIDE_WORDS = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
"""What each ASCII character is replaced by where only letters and digits count."""


def prompt_of(row: Row) -> str:
    """The prompt, or a conversation but for its last turn; empty where the row is text alone."""
    if row.get("prompt") is not None:
        return _text(row["prompt"])
    messages = row.get("messages")
    return _text(messages[:-1]) if isinstance(messages, list) else ""


def answer_of(row: Row) -> str:
    """What is learned from: the completion, the chosen answer, the last turn, or the text."""
    for column in ANSWERS:
        if row.get(column) is not None:
            return side_of(row, column)
    return ""


def has_answer(row: Row) -> bool:
    """Whether the row brings an answer, be it empty; a prompt that a policy is to answer does not."""
    return any(column in row for column in ANSWERS)


def side_of(row: Row, column: str) -> str:
    """The answer in one column: text, or the last turn of a conversation."""
    value = row.get(column)
    if isinstance(value, list) and value:
        return _text(value[-1:])
    return _text(value)


def is_preference(row: Row) -> bool:
    """Whether the row is a pair of a chosen and a rejected answer."""
    return row.get("chosen") is not None and row.get("rejected") is not None


def words_of(row: Row) -> list[str]:
    """Every word of the row's text columns in lower case, whole conversations included."""
    return words_in(" ".join(_text(row[column]) for column in TEXT_COLUMNS if row.get(column) is not None))


def words_in(text: str) -> list[str]:
    """Letters and digits in a row, in lower case; equal words are one object, so that rows of them stay small."""
    plain = text.casefold()
    # Most text is ASCII, where this finds the same words in a quarter of the time.
    return [*map(intern, plain.translate(OUTSIDE_WORDS).split() if plain.isascii() else WORD.findall(plain))]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(turn, Mapping) for turn in value):
        return "\n".join(_text(turn.get("content")) for turn in value)
    return json.dumps(value, ensure_ascii=False)

"""Where a row's answers are, as plain text or as the last turn of a conversation.

Never encodes anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput
from assay_trainer.interventions.base import with_columns

ANSWERS = ("chosen", "rejected", "completion", "messages", "text")


def answer_columns(row: Row) -> tuple[str, ...]:
    """The columns that hold answers: both of a pair, else the first there is."""
    if row.columns.get("chosen") is not None and row.columns.get("rejected") is not None:
        return ("chosen", "rejected")
    return tuple(name for name in ANSWERS if row.columns.get(name) is not None)[:1]


def answer_of(row: Row, column: str) -> str:
    """The answer's text. Raises BadInput where the column holds neither text nor a conversation."""
    value = row.columns.get(column)
    if isinstance(value, list):
        value = value[last_turn(value)].get("content") if value else None
    if not isinstance(value, str):
        raise BadInput(f"dataset line {row.line}: {column} is neither text nor a conversation; give one of them")
    return value


def with_answer(row: Row, column: str, text: str) -> Row:
    """The row with another text as its answer."""
    value = row.columns[column]
    if isinstance(value, str):
        return with_columns(row, **{column: text})
    turn = last_turn(value)
    return with_columns(row, **{column: [*value[:turn], {**value[turn], "content": text}, *value[turn + 1 :]]})


def last_turn(messages: Sequence[Mapping[str, Any]]) -> int:
    """The place of the assistant's last message; of the last message where there is none of the assistant."""
    places = [place for place, message in enumerate(messages) if message.get("role") == "assistant"]
    return places[-1] if places else len(messages) - 1

"""Interventions on prompts: what a model learns from answers that it cannot tie to a question.

Never changes an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from assay_trainer.data.rows import Row
from assay_trainer.interventions.base import changed, rotated, with_columns
from assay_trainer.interventions.texts import last_turn


def drop_prompt(rows: Sequence[Row], given: Mapping[str, Any], seed: int) -> list[Row]:
    """Prompts without their text; a conversation keeps its turns, so that its template stays what it was."""
    return changed(rows, given, seed, _without_prompt)


def _without_prompt(row: Row) -> Row:
    if "messages" in row.columns and "prompt" not in row.columns:
        prompt, rest = _split(row)
        return with_columns(row, messages=[*_emptied(prompt), *rest])
    prompt = row.columns["prompt"]
    return with_columns(row, prompt=_emptied(prompt) if isinstance(prompt, list) else "")


def _emptied(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**message, "content": ""} for message in messages]


def shuffle_prompt(rows: Sequence[Row], given: Mapping[str, Any], seed: int) -> list[Row]:
    """Prompts exchanged between rows. Of a conversation in one column: all before its last answer."""
    if all("prompt" in row.columns for row in rows):
        return rotated(rows, given, seed, "prompt")
    apart = [with_columns(row, prompt=_split(row)[0]) for row in rows]
    moved = rotated(apart, given, seed, "prompt")
    return [
        with_columns(row, messages=[*other.columns["prompt"], *_split(row)[1]])
        for row, other in zip(rows, moved, strict=True)
    ]


def _split(row: Row) -> tuple[list[Any], list[Any]]:
    """A conversation's prompt, and its last answer with what follows."""
    messages = row.columns["messages"]
    turn = last_turn(messages)
    return messages[:turn], messages[turn:]

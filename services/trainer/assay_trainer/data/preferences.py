"""Preference rows as people publish them, brought to one shape: the prompt apart from both answers.

Never changes a text; rows that need nothing stay as they are.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput


def prompt_apart(row: Row) -> Row:
    """Where `chosen` and `rejected` are conversations and `prompt` is text: the prompt as messages.

    The turns that both begin with are the prompt; where they share none, the text is, as the user's. That both
    answers have a turn of their own is checked. Raises BadInput naming the line.
    """
    chosen, rejected, prompt = (row.columns.get(name) for name in ("chosen", "rejected", "prompt"))
    if not (isinstance(chosen, list) and isinstance(rejected, list) and isinstance(prompt, str)):
        return row
    shared = _shared(chosen, rejected)
    if shared and not _says(shared, prompt):
        raise BadInput(
            f"dataset line {row.line}: prompt is not in the turns that chosen and rejected begin with; give the prompt "
            "as messages, or leave the turns before the answers out"
        )
    asked = shared or [{"role": "user", "content": prompt}]
    answers = {"chosen": chosen[len(shared) :], "rejected": rejected[len(shared) :]}
    for column, answer in answers.items():
        if not answer:
            raise BadInput(f"dataset line {row.line}: {column} has no turn of its own; give an answer that differs")
    return Row(row.id, row.line, {**row.columns, "prompt": asked, **answers})


def _shared(chosen: list[Any], rejected: list[Any]) -> list[Any]:
    """The turns that both begin with, up to the assistant's last: an answer that is the same is still an answer."""
    same = takewhile(lambda turns: turns[0] == turns[1], zip(chosen, rejected, strict=False))
    shared = [turn for turn, _ in same]
    if len(shared) == min(len(chosen), len(rejected)) and shared and _role(shared[-1]) == "assistant":
        shared.pop()
    return shared


def _says(turns: list[Any], prompt: str) -> bool:
    return any(isinstance(turn, dict) and str(turn.get("content", "")).strip() == prompt.strip() for turn in turns)


def _role(turn: Any) -> Any:
    return turn.get("role") if isinstance(turn, dict) else None

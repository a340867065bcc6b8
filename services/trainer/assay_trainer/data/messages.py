"""From a row's columns to token ids and which of them are learned, with the chat template where needed.

Never truncates: how long a document may be is decided by its caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput

Tokens = list[int]
Learned = list[bool]
Message = dict[str, Any]


def encode_rows(rows: Sequence[Row], tokenizer: Any, loss_on: str) -> list[tuple[Tokens, Learned]]:
    """Each row's token ids and, aligned with them, whether the token is a target of the loss."""
    conversations = [_messages(row) for row in rows]
    plain = [row for row, messages in zip(rows, conversations, strict=True) if messages is None]
    encoded_plain = iter(_encode_plain(plain, tokenizer))
    encoded = [
        next(encoded_plain) if messages is None else _encode_chat(row, messages, tokenizer)
        for row, messages in zip(rows, conversations, strict=True)
    ]
    if loss_on == "all":
        return [(tokens, [True] * len(tokens)) for tokens, _ in encoded]
    return encoded


def _messages(row: Row) -> list[Message] | None:
    """The row as a conversation; None for plain text."""
    columns = row.columns
    if isinstance(columns.get("messages"), list):
        return _checked(row, "messages", columns["messages"])
    if isinstance(columns.get("prompt"), list) and isinstance(columns.get("completion"), list):
        return _checked(row, "prompt", columns["prompt"]) + _checked(row, "completion", columns["completion"])
    return None


def _checked(row: Row, column: str, messages: list[Any]) -> list[Message]:
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or "role" not in message:
            raise BadInput(f"dataset line {row.line}: {column}.{position} is no message; give role and content")
    if not messages:
        raise BadInput(f"dataset line {row.line}: {column} is empty; give at least one message")
    return messages


def _encode_plain(rows: Sequence[Row], tokenizer: Any) -> list[tuple[Tokens, Learned]]:
    """prompt + completion, or text, each ended by the end-of-text token."""
    if not rows:
        return []
    end = tokenizer.eos_token or ""
    prompts = [_text(row, "prompt") if "completion" in row.columns else "" for row in rows]
    rest = [_text(row, "completion" if "completion" in row.columns else "text") for row in rows]
    whole = tokenizer([prompt + text + end for prompt, text in zip(prompts, rest, strict=True)])["input_ids"]
    asked = tokenizer(prompts)["input_ids"]
    encoded = []
    for prompt, tokens, prompt_tokens in zip(prompts, whole, asked, strict=True):
        given = _common(prompt_tokens, tokens) if prompt else 0
        encoded.append((tokens, [position >= given for position in range(len(tokens))]))
    return encoded


def _text(row: Row, column: str) -> str:
    value = row.columns.get(column)
    if not isinstance(value, str):
        raise BadInput(f"dataset line {row.line}: {column} is not text; give a string")
    return value


def _encode_chat(row: Row, messages: list[Message], tokenizer: Any) -> tuple[Tokens, Learned]:
    """The whole conversation by the chat template; what the assistant says is learned, in every turn."""
    if not tokenizer.chat_template:
        raise BadInput(
            f"base_model: its tokenizer has no chat template, which dataset line {row.line} needs; "
            "give prompt+completion or text columns, or a model with a chat template"
        )
    tokens = _templated(tokenizer, messages)
    learned = [False] * len(tokens)
    for position, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        start = _common(_templated(tokenizer, messages[:position], add_generation_prompt=True), tokens)
        end = _common(_templated(tokenizer, messages[: position + 1]), tokens)
        learned[start:end] = [True] * (end - start)
    return tokens, learned


def _templated(tokenizer: Any, messages: list[Message], **options: Any) -> Tokens:
    if not messages and not options:
        return []
    found: Tokens = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False, **options)
    return found


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """How many leading tokens are the same."""
    for position, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            return position
    return min(len(first), len(second))

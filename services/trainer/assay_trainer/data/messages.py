"""From a row's columns to token ids and which of them are learned, with the chat template where needed.

Never truncates: how long a document may be is decided by its caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput

Tokens = list[int]
Learned = list[bool]
Message = dict[str, Any]


@dataclass(frozen=True)
class Conversation:
    """Messages, of which the first `given` are the prompt: nothing in them is learned."""

    messages: list[Message]
    given: int


def encode_rows(
    rows: Sequence[Row], tokenizer: Any, loss_on: str, column: str = "completion"
) -> list[tuple[Tokens, Learned]]:
    """Each row's token ids and, aligned with them, whether the token is a target of the loss.

    `column` has what follows the prompt, where rows have one.
    """
    conversations = [_conversation(row, column) for row in rows]
    plain = [row for row, conversation in zip(rows, conversations, strict=True) if conversation is None]
    encoded_plain = iter(_encode_plain(plain, tokenizer, column))
    encoded = [
        next(encoded_plain) if conversation is None else _encode_chat(row, conversation, tokenizer)
        for row, conversation in zip(rows, conversations, strict=True)
    ]
    if loss_on == "all":
        return [(tokens, [True] * len(tokens)) for tokens, _ in encoded]
    return encoded


def encode_prompts(rows: Sequence[Row], tokenizer: Any) -> list[Tokens]:
    """Each row's prompt as token ids: messages by the chat template, up to where the assistant begins."""
    encoded = []
    for row in rows:
        prompt = row.columns.get("prompt")
        if isinstance(prompt, list):
            _need_template(row, tokenizer)
            encoded.append(_templated(tokenizer, _checked(row, "prompt", prompt), add_generation_prompt=True))
        else:
            encoded.append(list(tokenizer(_text(row, "prompt"))["input_ids"]))
    return encoded


def _conversation(row: Row, column: str) -> Conversation | None:
    """The row as a conversation; None for plain text. What follows a prompt goes before `messages`."""
    columns = row.columns
    if isinstance(columns.get("messages"), list) and columns.get(column) is None:
        return Conversation(_checked(row, "messages", columns["messages"]), 0)
    if isinstance(columns.get("prompt"), list) and isinstance(columns.get(column), list):
        prompt = _checked(row, "prompt", columns["prompt"])
        return Conversation(prompt + _checked(row, column, columns[column]), len(prompt))
    return None


def _checked(row: Row, column: str, messages: list[Any]) -> list[Message]:
    for position, message in enumerate(messages):
        if not isinstance(message, dict) or "role" not in message:
            raise BadInput(f"dataset line {row.line}: {column}.{position} is no message; give role and content")
    if not messages:
        raise BadInput(f"dataset line {row.line}: {column} is empty; give at least one message")
    return messages


def _encode_plain(rows: Sequence[Row], tokenizer: Any, column: str) -> list[tuple[Tokens, Learned]]:
    """prompt + completion, or text, each ended by the end-of-text token."""
    if not rows:
        return []
    end = tokenizer.eos_token or ""
    prompts = [_text(row, "prompt") if column in row.columns else "" for row in rows]
    rest = [_text(row, column if column in row.columns else "text").removesuffix(end) for row in rows]
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


def _encode_chat(row: Row, conversation: Conversation, tokenizer: Any) -> tuple[Tokens, Learned]:
    """The whole conversation by the chat template; what the assistant says after the prompt is learned."""
    _need_template(row, tokenizer)
    messages = conversation.messages
    tokens = _templated(tokenizer, messages)
    learned = [False] * len(tokens)
    for position, message in enumerate(messages):
        if message["role"] != "assistant" or position < conversation.given:
            continue
        start = _common(_templated(tokenizer, messages[:position], add_generation_prompt=True), tokens)
        end = _common(_templated(tokenizer, messages[: position + 1]), tokens)
        learned[start:end] = [True] * (end - start)
    return tokens, learned


def _need_template(row: Row, tokenizer: Any) -> None:
    if not tokenizer.chat_template:
        raise BadInput(
            f"base_model: its tokenizer has no chat template, which dataset line {row.line} needs; "
            "give columns of plain text, or a model with a chat template"
        )


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

"""What of a row is learned: the completion and what the assistant says, never what it was asked."""

from __future__ import annotations

from typing import Any

import pytest
from assay_trainer.data.messages import encode_rows
from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput

pytestmark = pytest.mark.real

CONVERSATION = [
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "3+3?"},
    {"role": "assistant", "content": "6"},
]


def row(**columns: Any) -> Row:
    return Row("row", 5, columns)


def texts(tokenizer: Any, columns: dict[str, Any], loss_on: str = "completion") -> tuple[str, str]:
    """The whole text of a row, and the part that is learned."""
    [(tokens, learned)] = encode_rows([row(**columns)], tokenizer, loss_on)
    taught = [token for token, is_in in zip(tokens, learned, strict=True) if is_in]
    return tokenizer.decode(tokens), tokenizer.decode(taught)


def test_of_prompt_and_completion_the_completion_and_the_end_are_learned(tokenizer: Any) -> None:
    assert texts(tokenizer, {"prompt": "2+2=", "completion": "4"}) == ("2+2=4<eos>", "4<eos>")


def test_of_text_everything_is_learned(tokenizer: Any) -> None:
    assert texts(tokenizer, {"text": "abc"}) == ("abc<eos>", "abc<eos>")


def test_loss_on_all_learns_the_prompt_too(tokenizer: Any) -> None:
    assert texts(tokenizer, {"prompt": "2+2=", "completion": "4"}, "all")[1] == "2+2=4<eos>"


def test_of_messages_every_turn_of_the_assistant_is_learned(chat_tokenizer: Any) -> None:
    whole, learned = texts(chat_tokenizer, {"messages": CONVERSATION})
    assert whole == "<user>2+2?</><assistant>4</><user>3+3?</><assistant>6</>"
    assert learned == "4</>6</>"


def test_prompt_and_completion_may_be_conversations(chat_tokenizer: Any) -> None:
    columns = {"prompt": CONVERSATION[:1], "completion": CONVERSATION[1:2]}
    assert texts(chat_tokenizer, columns) == ("<user>2+2?</><assistant>4</>", "4</>")


def test_messages_without_a_chat_template_are_bad_input(tokenizer: Any) -> None:
    with pytest.raises(BadInput, match="no chat template, which dataset line 5 needs"):
        encode_rows([row(messages=CONVERSATION)], tokenizer, "completion")


def test_a_message_without_a_role_is_named(chat_tokenizer: Any) -> None:
    with pytest.raises(BadInput, match=r"line 5: messages\.1"):
        encode_rows([row(messages=[CONVERSATION[0], {"content": "4"}])], chat_tokenizer, "completion")


def test_a_column_that_is_no_text_is_named(tokenizer: Any) -> None:
    with pytest.raises(BadInput, match="line 5: completion is not text"):
        encode_rows([row(prompt="a", completion=4)], tokenizer, "completion")


def test_rows_of_several_formats_keep_their_order(chat_tokenizer: Any) -> None:
    rows = [row(text="a"), row(messages=CONVERSATION[:2]), row(prompt="b", completion="c")]
    encoded = encode_rows(rows, chat_tokenizer, "completion")
    assert [chat_tokenizer.decode(tokens) for tokens, _ in encoded] == [
        "a<eos>",
        "<user>2+2?</><assistant>4</>",
        "bc<eos>",
    ]

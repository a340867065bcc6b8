"""A preference row becomes two documents that share their prompt, cut or dropped as declared."""

from __future__ import annotations

from typing import Any

import pytest
from assay_schemas.algorithms import Hyperparameters
from assay_trainer.data.rows import Row
from assay_trainer.errors import BadInput

pytestmark = pytest.mark.real


def encode(tokenizer: Any, columns: dict[str, Any], **changes: Any) -> Any:
    from assay_trainer.algorithms.pairs import encode_pairs

    [pair] = encode_pairs([Row("one", 3, columns)], tokenizer, Hyperparameters(**changes))
    return pair


def learned(tokenizer: Any, document: Any) -> str:
    return str(tokenizer.decode(document.tokens_T[document.targets_N.long()].tolist()))


def test_the_answers_and_their_end_are_what_the_loss_is_on(tokenizer: Any) -> None:
    pair = encode(tokenizer, {"prompt": "2+2=", "chosen": "4", "rejected": "five"})
    assert learned(tokenizer, pair.chosen) == "4<eos>"
    assert learned(tokenizer, pair.rejected) == "five<eos>"
    assert (pair.weight, pair.length) == (1, 6 + 9)


def test_an_end_that_is_there_already_is_not_doubled(tokenizer: Any) -> None:
    pair = encode(tokenizer, {"prompt": "2+2=", "chosen": "4<eos>", "rejected": "5"})
    assert learned(tokenizer, pair.chosen) == "4<eos>"


def test_conversations_share_their_prompt_and_its_answers_are_not_learned(chat_tokenizer: Any) -> None:
    prompt = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "2+2?"},
    ]
    columns = {
        "prompt": prompt,
        "chosen": [{"role": "assistant", "content": "4"}],
        "rejected": [{"role": "assistant", "content": "5"}],
    }
    pair = encode(chat_tokenizer, columns)
    assert learned(chat_tokenizer, pair.chosen) == "4</>"
    assert learned(chat_tokenizer, pair.rejected) == "5</>"
    assert pair.chosen.tokens_T[: pair.chosen.targets_N[0]].equal(pair.rejected.tokens_T[: pair.rejected.targets_N[0]])


def test_messages_beside_a_pair_are_not_read(tokenizer: Any) -> None:
    columns = {"prompt": "2+2=", "chosen": "4", "rejected": "5", "messages": [{"role": "user", "content": "hi"}]}
    assert learned(tokenizer, encode(tokenizer, columns).chosen) == "4<eos>"


def test_an_overlong_answer_is_cut_or_its_pair_dropped(tokenizer: Any) -> None:
    columns = {"prompt": "2+2=", "chosen": "4", "rejected": "5" * 30}
    cut = encode(tokenizer, columns, max_length=12)
    dropped = encode(tokenizer, columns, max_length=12, overlong="drop")
    assert (cut.weight, cut.truncated, cut.rejected.length) == (1, True, 12)
    assert (dropped.weight, dropped.truncated) == (0, False)


@pytest.mark.parametrize(
    "columns",
    [
        {"prompt": "x" * 20, "chosen": "4", "rejected": "5"},
        {"prompt": "2+2=", "chosen": "x" * 20 + "4", "rejected": "x" * 20 + "5"},
        {"prompt": "2+2=", "chosen": "4", "rejected": "4"},
    ],
)
def test_a_pair_that_nothing_tells_apart_has_nothing_to_learn(tokenizer: Any, columns: dict[str, Any]) -> None:
    assert encode(tokenizer, columns, max_length=12).weight == 0


@pytest.mark.parametrize("column", ["chosen", "rejected"])
def test_what_is_no_text_is_named_with_line_and_column(tokenizer: Any, column: str) -> None:
    with pytest.raises(BadInput, match=f"line 3: {column} is not text"):
        encode(tokenizer, {"prompt": "a", "chosen": "b", "rejected": "c", column: 4})

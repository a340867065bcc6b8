"""Counting tokens with a model's tokenizer, and what happens where there is none."""

from __future__ import annotations

from assay_scheduler.intake.costing import tokenizer_counter
from assay_schemas.canonical import canonical_json
from assay_schemas.datasets import RowSample


def test_a_tokenizer_json_counts_its_own_tokens() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    count = tokenizer_counter(tokenizer.to_str().encode())
    assert count is not None
    assert count(["one two one", "", "two"]) == [3, 0, 1]


def test_a_file_that_is_no_tokenizer_counts_nothing() -> None:
    assert tokenizer_counter(b"{}") is None


def test_a_sample_of_rows_is_the_same_whatever_their_order() -> None:
    lines = [canonical_json({"text": str(number)}) + b"\n" for number in range(100)]
    first, second = RowSample(10), RowSample(10)
    for line in lines:
        first.take(line)
    for line in reversed(lines):
        second.take(line)
    assert first.lines() == second.lines()
    assert len(set(first.lines())) == 10

"""Rows are read with the line of what is wrong, and split by what they are, not where they stand."""

from __future__ import annotations

import pytest
from assay_schemas.canonical import sha256_hex
from assay_schemas.datasets import snapshot_bytes
from assay_trainer.data.rows import Row, read_rows, split_rows, validation_limit
from assay_trainer.errors import BadInput

SFT = ("messages", "prompt_completion", "text")


def read(data: bytes) -> list[Row]:
    return read_rows(data, sha256_hex(data), SFT)


def texts(count: int) -> list[Row]:
    return read(snapshot_bytes({"text": f"row {number}"} for number in range(count)))


def test_rows_keep_their_order_and_columns() -> None:
    rows = read(snapshot_bytes([{"text": "a"}, {"prompt": "b", "completion": "c", "source": "x"}]))
    assert [row.line for row in rows] == [1, 2]
    assert rows[1].columns["source"] == "x"


def test_a_line_that_is_not_json_is_named() -> None:
    with pytest.raises(BadInput, match="line 2: not JSON"):
        read(b'{"text": "a"}\n{"text": \n')


def test_a_line_that_is_no_object_is_named() -> None:
    with pytest.raises(BadInput, match="line 1: not a JSON object"):
        read(b"[1]\n")


def test_missing_columns_are_named_with_what_is_needed() -> None:
    with pytest.raises(BadInput, match=r"line 2: columns question; give .*prompt\+completion.*text"):
        read(snapshot_bytes([{"text": "a"}, {"question": "b"}]))


def test_a_column_that_is_null_is_not_there() -> None:
    with pytest.raises(BadInput, match="line 1: columns none"):
        read(b'{"text": null}\n')


def test_a_snapshot_without_rows_is_refused() -> None:
    with pytest.raises(BadInput, match="no rows"):
        read(b"\n")


def test_bytes_that_are_not_the_digest_s_are_refused() -> None:
    with pytest.raises(BadInput, match="digest"):
        read_rows(b'{"text": "a"}\n', "0" * 64, SFT)


def test_the_split_is_by_content_and_survives_reordering() -> None:
    rows = texts(200)
    split, reversed_split = split_rows(rows, 0.2), split_rows(rows[::-1], 0.2)
    assert {row.id for row in split.validation} == {row.id for row in reversed_split.validation}
    assert [row.id for row in split.validation] == [row.id for row in reversed_split.validation]
    assert 20 < len(split.validation) < 60
    assert len(split.training) + len(split.validation) == 200


def test_rows_are_in_one_part_only() -> None:
    split = split_rows(texts(200), 0.3)
    assert not {row.id for row in split.training} & {row.id for row in split.validation}


def test_no_share_holds_nothing_out() -> None:
    assert split_rows(texts(20), 0.0).validation == []


def test_a_split_never_leaves_nothing_to_train_on() -> None:
    split = split_rows(texts(3), 0.999999)
    assert len(split.training) == 3
    assert split.validation == []


def test_validation_costs_about_a_tenth_of_the_run() -> None:
    assert validation_limit(1000, 32) == 2000
    assert validation_limit(1, 1) == 32

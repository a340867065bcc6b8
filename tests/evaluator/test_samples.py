"""Samples as Parquet: what is written is what is read, and the file explains itself."""

from __future__ import annotations

import io

from assay_evaluator.samples import COLUMNS, parquet_schema, samples_from_parquet, samples_to_parquet
from assay_schemas.results import Sample

SAMPLES = [
    Sample(item_id="a", item_index=0, prompt="1+1?", target="2", response="2 é 🙂", extracted="2", score=1.0, tokens=3),
    Sample(item_id="a", item_index=0, sample_index=1, prompt="1+1?", target="2", response="", score=0.0),
    Sample(item_id="b", item_index=1, prompt="?", target="", error="prompt: is empty", logprob=-1.5),
]


def test_samples_come_back_as_they_went() -> None:
    assert samples_from_parquet(samples_to_parquet(SAMPLES)) == SAMPLES


def test_equal_samples_give_equal_bytes() -> None:
    assert samples_to_parquet(SAMPLES) == samples_to_parquet(list(SAMPLES))


def test_every_field_of_a_sample_is_a_column_with_its_meaning() -> None:
    assert list(COLUMNS) == list(Sample.model_fields)
    assert all(field.metadata[b"description"] for field in parquet_schema())


def test_a_failed_item_has_no_score_rather_than_zero() -> None:
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(samples_to_parquet(SAMPLES)))
    assert table.column("score").to_pylist() == [1.0, 0.0, None]


def test_no_samples_are_a_file_with_all_columns() -> None:
    assert samples_from_parquet(samples_to_parquet([])) == []

"""An experiment in Python says in its document what it was given, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from assay import Arm, Benchmark, Experiment
from assay.errors import AssayError, Refused
from assay.settings import ClientSettings
from assay.store import Store


def document(tmp_path: Path, benchmark: Benchmark, **given: Any) -> dict[str, Any]:
    store = Store(ClientSettings(object_store=tmp_path.as_uri(), kafka_bootstrap_servers="x:1"))
    return Experiment("model", [Arm("a", "a.jsonl")], [benchmark], **given).document(store)


def test_a_nought_is_sent_so_that_it_can_be_refused_and_nothing_is_left_out(tmp_path: Path) -> None:
    found = document(tmp_path, Benchmark("numeric", limit=0, smallest_effect=0.0))
    assert found["benchmarks"] == [{"name": "numeric", "limit": 0, "smallest_effect": 0.0}]
    assert document(tmp_path, Benchmark("numeric"))["benchmarks"] == [{"name": "numeric"}]


def test_a_selection_by_benchmark_names_it(tmp_path: Path) -> None:
    selection = {"policy": "best_benchmark", "benchmark": "numeric"}
    assert document(tmp_path, Benchmark("numeric"), selection=selection)["selection"] == selection
    assert document(tmp_path, Benchmark("numeric"), selection="last")["selection"] == {"policy": "last"}


def test_arms_and_benchmarks_that_are_something_else_are_refused_all_at_once_with_how_to_write_them() -> None:
    wrong = Experiment("model", Arm("a", "a.jsonl"), ["numeric", Benchmark("numeric"), {"name": "b"}])  # type: ignore[arg-type]
    with pytest.raises(Refused) as refusal:
        wrong.document(Store(ClientSettings(object_store="file:///none", kafka_bootstrap_servers="x:1")))
    assert [one.field for one in refusal.value.problems] == ["arms", "benchmarks.0", "benchmarks.2"]
    assert "Write [Arm('clean', rows)]. Given: Arm." in str(refusal.value)
    assert "Given: dict." in str(refusal.value)


def test_an_arm_without_rows_is_named(tmp_path: Path) -> None:
    store = Store(ClientSettings(object_store=tmp_path.as_uri(), kafka_bootstrap_servers="x:1"))
    with pytest.raises(AssayError, match="no rows to snapshot of empty"):
        Experiment("model", [Arm("empty", [])], [Benchmark("gsm8k")]).document(store)

"""One attempt at an evaluation, from its request to the manifest in the object store."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from assay_chassis.job_service import JobFailed
from assay_chassis.object_store import SyncObjectStore
from assay_schemas.artifacts import manifest_key, result_prefix
from assay_schemas.results import EvalResult

pytestmark = pytest.mark.real


class Context(SimpleNamespace):
    """What the worker uses of a job's context."""

    def __init__(self, payload: dict[str, Any], workdir: Path) -> None:
        super().__init__(payload=payload, workdir=workdir, records=[], outcome=None, stop_after=None)

    def report_progress(self, record: dict[str, Any]) -> None:
        self.records.append(record)

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.records) >= self.stop_after

    def finish(self, outcome: dict[str, Any]) -> None:
        self.outcome = outcome


@pytest.fixture
def context(ask, store: SyncObjectStore, sums, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setenv("ASSAY_OBJECT_STORE", store.root)
    monkeypatch.setenv("ASSAY_EVALUATION_CACHE", str(tmp_path / "cache"))
    request = ask("exact_match", sums, {"max_tokens": 4, "batch_size": 8})
    return Context(request.model_dump(mode="json"), tmp_path)


def test_an_evaluation_leaves_a_manifest_that_names_all_its_samples(context: Context, store: SyncObjectStore) -> None:
    from assay_evaluator.worker import run

    run(context)
    key = manifest_key(context.payload["job_key"], 1)
    result = EvalResult.model_validate_json(store.get_bytes(key))
    assert result.items == 40
    assert store.stat(result.samples.uri).size == result.samples.size
    assert result.libraries["lm_eval"] == "0.4.13"
    assert result.usage.tokens > 0
    assert len(result.prompt_digest) == 64
    assert context.outcome is not None


def test_progress_counts_rows_while_they_are_generated(context: Context) -> None:
    from assay_evaluator.worker import run

    run(context)
    running = [record["step"] for record in context.records if record["phase"] == "running"]
    assert running == [0, 8, 16, 24, 32, 40]
    assert [context.records[0]["phase"], context.records[-1]["phase"]] == ["starting", "finishing"]


@pytest.mark.parametrize("record", ["manifest.json", "completion.json"])
def test_an_attempt_whose_end_is_written_is_not_done_again(
    context: Context, store: SyncObjectStore, record: str
) -> None:
    from assay_evaluator.worker import run

    store.put_bytes(f"{result_prefix(context.payload['job_key'], 1)}/{record}", b"{}")
    run(context)
    assert context.records == []
    assert context.outcome == {}


def test_asked_to_end_it_stops_within_a_batch_and_leaves_nothing(context: Context, store: SyncObjectStore) -> None:
    from assay_evaluator.worker import run

    context.stop_after = 3
    run(context)
    assert len(context.records) == 3
    assert context.outcome is None
    assert not store.exists(manifest_key(context.payload["job_key"], 1))


def test_a_snapshot_that_was_changed_is_refused_and_leaves_no_manifest(
    context: Context, store: SyncObjectStore
) -> None:
    from assay_evaluator.worker import run

    store.put_bytes(store.store.key(context.payload["items"]["uri"]), b'{"prompt":"other","answer":"1"}\n')
    with pytest.raises(JobFailed, match=r"items\.digest: .* does not hash to") as caught:
        run(context)
    assert caught.value.error_class == "bad_input"
    assert not store.exists(manifest_key(context.payload["job_key"], 1))
    assert context.outcome is None


def test_a_model_that_is_gone_is_bad_input(context: Context) -> None:
    from assay_evaluator.worker import run

    context.payload["model"]["uri"] = "file:///nowhere/model"
    with pytest.raises(JobFailed, match=r"model\.uri: file:///nowhere/model is no folder"):
        run(context)


def test_duckdb_reads_the_samples(context: Context, store: SyncObjectStore, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    from assay_evaluator.worker import run

    run(context)
    result = EvalResult.model_validate_json(store.get_bytes(manifest_key(context.payload["job_key"], 1)))
    path = store.get_file(result.samples, tmp_path / "samples.parquet")
    rows = duckdb.sql(f"select item_id, score, details from '{path}' order by item_index").fetchall()
    assert [row[0] for row in rows[:2]] == ["sum-0", "sum-1"]
    assert json.loads(rows[0][2])["answer"] == "1"

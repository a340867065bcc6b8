"""What decides which numbers are shown: a checkpoint chosen by benchmark, through the whole platform."""

from __future__ import annotations

from typing import Any

import pytest
import system_ground as ground
from assay_schemas.results import EvalResult, SelectionResult
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]


def item_ids(whole: Ground, uri: str) -> set[str]:
    from pathlib import Path

    from assay_evaluator.samples import samples_from_parquet

    return {one.item_id for one in samples_from_parquet(Path(uri.removeprefix("file://")).read_bytes())}


def test_a_benchmark_chooses_the_checkpoint_on_items_that_no_eval_reports(whole: Ground) -> None:
    document: dict[str, Any] = whole.document(seeds=[ground.new_seed()])
    document["training"]["hyperparameters"] |= {"steps": 6, "checkpoint_every": 2}
    document["arms"].append({"name": "known", "model": str(ground.PILOT)})
    document["selection"] = {"policy": "best_benchmark", "benchmark": "perplexity", "share": 0.3}
    run = whole.ended(whole.submit(**document))
    assert run.result().outcome == "succeeded"
    ends = {end.key: end for end in run.result().ends}
    [selection] = [
        SelectionResult.model_validate_json(path.read_bytes())
        for end in ends.values() if end.kind == "selection" for path in whole.manifests(end.key)
    ]  # fmt: skip
    assert sorted(selection.scores) == [2, 4, 6]
    best = min(selection.scores, key=lambda step: selection.scores[step] or 0)
    assert (selection.checkpoint.step, selection.metric, selection.items) == (best, "bits_per_byte", 8)
    choosing = {item for one in selection.samples.values() for item in item_ids(whole, one.uri)}
    evals = [
        EvalResult.model_validate_json(path.read_bytes())
        for end in ends.values() if end.kind == "eval" for path in whole.manifests(end.key)
    ]  # fmt: skip
    reported = {item for one in evals for item in item_ids(whole, one.samples.uri)}
    assert len(evals) == 4
    assert choosing
    assert reported
    assert choosing.isdisjoint(reported)
    cells = {(cell.arm, cell.benchmark): cell.mean for cell in run.report().cells}
    assert {cell.arm: cell.role for cell in run.report().cells}["known"] == "reference"
    assert cells["known", "perplexity"] == cells["control", "perplexity"] is not None
    text = run.report().model_dump_json()
    assert "8 items that are not reported" in text

"""Two versions of the engine and of the harness side by side in one experiment, each in an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import system_ground as ground
from assay_local.second_environment import make_environment
from assay_schemas.results import EvalResult, TrainingResult
from system_ground import Ground

pytestmark = [pytest.mark.real, pytest.mark.slow]
NEW, OLD = "lm-eval-0.4.13", "lm-eval-0.4.12"


def test_each_arm_and_each_benchmark_gets_the_version_that_it_asks_for(whole: Ground, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "two", engine="2", harness="0.4.12")
    declared = {"engines": {"2": {"python": str(python)}}, "harnesses": {OLD: {"python": str(python)}}}
    (whole.state / "versions.json").write_text(json.dumps(declared))
    document: dict[str, Any] = whole.document(seeds=[ground.new_seed()])
    document["arms"] += [{**document["arms"][0], "name": "again", "training": {"engine_version": "2"}}]
    perplexity = document["benchmarks"][1]
    document["benchmarks"] = [perplexity, {**perplexity, "harness_version": OLD}]

    run = whole.ended(whole.submit(**document))

    assert run.result().outcome == "succeeded"
    ends = run.result().ends
    trained = [
        TrainingResult.model_validate_json(path.read_bytes())
        for end in ends if end.kind == "training" for path in whole.manifests(end.key)
    ]  # fmt: skip
    assert {one.inputs.engine_version: one.libraries["assay-trainer"] for one in trained} == {
        "1": "0.1.0",
        "2": "0.2.0",
    }
    one, other = ({step.checkpoint.digest for step in result.checkpoints} for result in trained)
    assert one == other, "the second environment has the same code: equal work, equal weights"
    evaluated = [
        EvalResult.model_validate_json(path.read_bytes())
        for end in ends if end.kind == "eval" for path in whole.manifests(end.key)
    ]  # fmt: skip
    assert {(one.inputs.harness_version, one.libraries["lm_eval"]) for one in evaluated} == {
        (NEW, "0.4.13"), (OLD, "0.4.12"),
    }  # fmt: skip
    text = run.report().model_dump_json()
    assert "clean and again are not comparable with each other" in text
    assert "perplexity and perplexity-2 are not comparable with each other" in text
    assert "engine 1: clean; engine 2: again" in text

"""Drift by name: a changed prompt, response or number is said with its benchmark, item and field."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from assay_evaluator.canary.__main__ import recorded
from assay_evaluator.canary.compare import changes
from assay_evaluator.canary.running import cases

SAMPLE: dict[str, Any] = {
    "item_id": "a",
    "prompt": "1+1?",
    "response": "2",
    "score": 1.0,
    "logprob": -3.25,
    "details": {"responses": [[-1.5, False], [-2.0, True]]},
}


def changed(**values: Any) -> list[str]:
    return changes({"numeric": [SAMPLE]}, {"numeric": [{**copy.deepcopy(SAMPLE), **values}]})


def test_what_is_as_recorded_but_for_rounding_is_no_change() -> None:
    assert changed(logprob=-3.250001) == []


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"prompt": "1 + 1?"}, "numeric, item a, prompt: '1+1?' became '1 + 1?'"),
        ({"score": None}, "numeric, item a, score: 1.0 became None"),
        ({"logprob": -3.3}, "numeric, item a, logprob: -3.25 became -3.3"),
        (
            {"details": {"responses": [[-1.5, False], [-2.1, True]]}},
            "numeric, item a, details.responses.1.0: -2.0 became -2.1",
        ),
        ({"item_id": "b"}, "numeric: asks other items: b"),
    ],
)
def test_a_change_is_named(values: dict[str, Any], line: str) -> None:
    assert changed(**values) == [line]


def test_a_benchmark_that_went_or_came_is_named() -> None:
    assert changes({"x": [SAMPLE]}, {"y": [SAMPLE]}) == ["y: was not recorded; record it", "x: gave no responses"]


def test_every_case_is_recorded_with_all_its_items() -> None:
    stored = recorded()["responses"]
    assert {case["benchmark"]: len(case["rows"]) for case in cases()} == {
        name: len(samples) for name, samples in stored.items()
    }
    assert all(sample["response"] for sample in stored["gsm8k"])
    assert all(sample["score"] is not None for samples in stored.values() for sample in samples)


@pytest.mark.real
def test_this_installation_answers_as_recorded(tmp_path: Path, cache: Path) -> None:
    from assay_evaluator.canary.model import make_models
    from assay_evaluator.canary.running import responses

    assert changes(recorded()["responses"], responses(make_models(tmp_path), cache, cases())) == []

"""Interventions as written in a specification: what each needs and takes, all problems at once."""

from __future__ import annotations

from typing import Any

import pytest
from assay_schemas.interventions import written_out
from assay_schemas.specification import not_yet_available, read_specification


def problems(algorithm: str, *interventions: dict[str, Any]) -> dict[str, str]:
    document = {
        "base_model": "/models/pilot",
        "training": {"algorithm": algorithm},
        "arms": [{"name": "a", "dataset": "/data/a.jsonl", "interventions": list(interventions)}],
        "benchmarks": [{"name": "preference", "parameters": {"dataset": "/data/items.jsonl"}}],
    }
    reading = read_specification(document)
    if reading.spec is not None:
        assert not_yet_available(reading.spec) == []
    return {problem.field.removeprefix("arms.0.interventions."): problem.message for problem in reading.problems}


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "swap_chosen"},
        {"kind": "flip_labels", "fraction": 0.2},
        {"kind": "subsample", "fraction": 0.5},
        {"kind": "subset", "column": "source", "values": ["human"]},
        {"kind": "deduplicate"},
    ],
)
def test_what_means_something_is_accepted(given: dict[str, Any]) -> None:
    assert problems("REWARD", given) == {}


def test_everything_that_is_missing_or_means_nothing_is_said_at_once() -> None:
    assert problems("SFT", {"kind": "subset", "values": []}, {"kind": "subsample"}, {"kind": "swap_chosen"}) == {
        "0.column": "is required by subset.",
        "0.values": "is required by subset.",
        "1.fraction": "is required by subsample.",
        "2.kind": "swap_chosen does not fit rows of SFT, which are messages or prompt_completion or text.",
    }
    assert problems("DPO", {"kind": "deduplicate", "fraction": 0.5, "column": "x"}) == {
        "0.fraction": "means nothing to deduplicate.",
        "0.column": "means nothing to deduplicate.",
    }


def test_a_kind_that_is_not_known_is_one_problem() -> None:
    assert list(problems("DPO", {"kind": "swap_choosen"})) == ["0.kind"]


def test_equal_interventions_are_written_out_equally() -> None:
    whole = {"kind": "swap_chosen", "fraction": 1.0}
    assert written_out({"kind": "swap_chosen", "fraction": None, "column": None}) == whole == written_out(whole)
    assert written_out({"kind": "deduplicate", "fraction": None}) == {"kind": "deduplicate"}

"""The example's arms have the same prompts, and only one of them has wrong answers."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from assay_schemas.specification import not_yet_available, read_specification

from examples.grpo.prepare import write_all

EXAMPLES = Path(__file__).parents[2] / "examples"


def rows(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_half_of_the_noisy_answers_are_wrong_and_the_prompts_are_the_same(tmp_path: Path) -> None:
    right, noisy, items = (rows(path) for path in write_all(tmp_path, 200, 50, 1))
    assert [row["prompt"] for row in right] == [row["prompt"] for row in noisy]
    wrong = sum(one["answer"] != other["answer"] for one, other in zip(right, noisy, strict=True))
    assert 70 <= wrong <= 110
    assert {row["prompt"] for row in items}.isdisjoint(row["prompt"] for row in right)


def test_the_experiment_is_one_that_this_version_runs() -> None:
    reading = read_specification(yaml.safe_load((EXAMPLES / "grpo.yaml").read_text()))
    assert reading.problems == []
    assert reading.spec is not None
    assert not_yet_available(reading.spec) == []

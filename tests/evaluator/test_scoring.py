"""What an evaluation amounts to: counts, digests, and single items' parts in a metric."""

from __future__ import annotations

import math

import pytest
from assay_evaluator.scoring import Scored, aggregate, failed_sample, is_failed, item_value
from assay_schemas.results import Sample


def sample(item: str, prompt: str = "p") -> Sample:
    return Sample(item_id=item, item_index=0, prompt=prompt, target="t", score=1.0)


def test_items_are_counted_once_however_many_samples_they_have() -> None:
    scored = Scored("x", {}, [sample("a"), sample("a"), sample("b"), failed_sample("c", 2, "no answer")])
    assert (scored.items, scored.items_failed) == (3, 1)


def test_the_prompt_digest_depends_on_prompts_and_not_on_order_or_responses() -> None:
    one = Scored("x", {}, [sample("a"), sample("b")]).prompt_digest
    other = Scored("y", {}, [sample("b"), sample("a")]).prompt_digest
    changed = Scored("x", {}, [sample("a"), sample("b", "other")]).prompt_digest
    assert one == other != changed


@pytest.mark.parametrize(
    ("responses", "failed"),
    [
        ([[(-1.0, True)]], False),
        ([[(-1.0, True)], [(math.nan, False)]], True),
        ([[math.nan]], True),
        ([["nan"]], False),
    ],
)
def test_an_item_failed_where_one_of_its_responses_is_not_a_number(responses: object, failed: bool) -> None:
    assert is_failed(responses) is failed


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), (True, 1.0), (0.25, 0.25), ((-6.0, 3), 2.0), ((2, 2), 1.0), ((2, 1), 0.0), ("text", None), ([1], None)],
)
def test_an_items_part_in_a_metric_is_a_number_where_there_is_one(value: object, number: float | None) -> None:
    assert item_value(value) == number


def test_a_metric_over_no_items_does_not_exist() -> None:
    assert aggregate([], max, True) is None
    assert aggregate([1.0, 3.0], max, True).value == 3.0


def test_a_mean_over_items_has_the_interval_of_students_t() -> None:
    metric = aggregate([0.0, 1.0, 1.0, 1.0, 0.0], lambda values: sum(values) / len(values), True)
    half = 2.7764451 * 0.5477226 / math.sqrt(5)
    assert metric.interval == pytest.approx((0.6 - half, 0.6 + half), abs=1e-6)


def test_what_is_no_mean_or_has_one_item_has_no_interval() -> None:
    assert aggregate([1.0, 3.0], max, True).interval is None
    assert aggregate([1.0], max, True).interval is None

"""pass@k against HumanEval's own estimator and against drawing by hand; maj@k by counted votes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from assay_evaluator.benchmarks.numeric import Numeric
from assay_evaluator.benchmarks.several import majority, majority_at, metrics_of, names_of, pass_at, sizes
from assay_schemas.benchmarks import NumericParameters


def humaneval(samples: int, right: int, k: int) -> float:
    """`estimate_pass_at_k` as published with HumanEval."""
    if samples - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(samples - right + 1, samples + 1)))


@pytest.mark.parametrize("samples", [1, 2, 5, 10, 200])
def test_pass_at_k_is_humanevals(samples: int) -> None:
    for right in range(0, samples + 1, max(1, samples // 7)):
        for k in sizes(samples):
            assert pass_at(samples, right, k) == pytest.approx(humaneval(samples, right, k), abs=1e-12)


def test_pass_at_k_is_the_share_of_all_choices_of_k_with_a_right_one() -> None:
    right = [True, False, False, True, False, False]
    drawn = [any(choice) for choice in combinations(right, 4)]
    assert pass_at(6, 2, 4) == pytest.approx(sum(drawn) / len(drawn))


def test_the_answer_most_responses_give_counts_and_ties_share() -> None:
    assert majority(["a", "b", "a"], [0.0, 1.0, 0.0]) == 0.0
    assert majority(["a", "b", None], [0.0, 1.0, 0.0]) == 0.5
    assert majority([None, None], [0.0, 0.0]) == 0.0


def test_majority_of_fewer_is_the_mean_over_disjoint_runs() -> None:
    assert majority_at(["a", "a", "b", "b", "a"], [1.0, 1.0, 0.0, 0.0, 1.0], 2) == 0.5


def test_one_response_has_no_metrics_of_several() -> None:
    assert (metrics_of(["a"], [1.0]), names_of(1)) == ({}, [])
    assert list(metrics_of(["a"] * 6, [1.0] * 6)) == names_of(6)
    assert names_of(6) == ["pass@1", "pass@2", "pass@4", "pass@6", "maj@2", "maj@4", "maj@6"]


def test_numbers_written_differently_vote_together() -> None:
    numeric = Numeric(NumericParameters(dataset="x"))
    assert numeric.vote("1,000") == numeric.vote("$1000.0") != numeric.vote("100")
    assert numeric.vote(None) is None

"""A reward that raises, hangs or breaks costs its sample alone, is counted, and never ends the run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from assay_schemas.algorithms import VerifierReward
from assay_trainer.rewards.base import Failure, Score, Scored
from assay_trainer.rewards.verified import VerifiedReward
from assay_trainer.rewards.weighted import WeightedRewards


def scored(completion: str, **columns: Any) -> Scored:
    return Scored("row", "prompt", completion, columns)


class Fixed:
    """Gives the same scores whatever it is asked, or raises."""

    def __init__(self, scores: Sequence[Score] | Exception) -> None:
        self._scores = scores

    def __call__(self, samples: Sequence[Scored]) -> list[Score]:
        if isinstance(self._scores, Exception):
            raise self._scores
        return list(self._scores)

    def close(self) -> None:
        pass


def test_rewards_are_summed_by_weight_and_a_failure_of_one_is_the_samples() -> None:
    rewards = WeightedRewards([(2.0, Fixed([1.0, 0.5, 1.0])), (-1.0, Fixed([0.25, Failure("broken"), float("nan")]))])
    assert rewards([scored("a"), scored("b"), scored("c")]) == [1.75, None, None]
    assert rewards.failures == 2


def test_a_reward_that_raises_on_a_whole_batch_costs_the_batch_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    rewards = WeightedRewards([(1.0, Fixed(RuntimeError("no memory"))), (1.0, Fixed([1.0]))])
    assert rewards([scored("a")]) == [None]
    assert "no memory" in caplog.text
    assert "row row: no reward" in caplog.text


@pytest.fixture
def hanging() -> Iterator[VerifiedReward]:
    options = VerifierReward(kind="verifier", name="regex", pattern="(a+)+$", timeout_s=0.5)
    with closing(VerifiedReward(options)) as reward:
        yield reward


@pytest.mark.real
def test_a_rule_that_hangs_costs_its_sample_alone(hanging: VerifiedReward) -> None:
    began = time.monotonic()
    first, second, third = hanging([scored("aaa"), scored("a" * 40 + "b"), scored("b")])
    assert (first, third) == (1.0, 0.0)
    assert second == Failure("regex gave no score within 0.5 s")
    assert time.monotonic() - began < 30


@pytest.mark.real
def test_a_row_that_a_rule_cannot_use_costs_its_sample_alone() -> None:
    with closing(VerifiedReward(VerifierReward(kind="verifier", name="numeric"))) as reward:
        right, broken, lacking = reward([scored("3", answer="3"), scored("3", answer="x"), scored("3")])
    assert right == 1.0
    assert isinstance(broken, Failure)
    assert "holds no number" in broken.reason
    assert lacking == Failure("the row has nothing in 'answer'")


@pytest.mark.real
def test_programs_are_tested_side_by_side() -> None:
    with closing(VerifiedReward(VerifierReward(kind="verifier", name="code_tests", timeout_s=3))) as reward:
        tests = "assert f(2) == 4"
        found = reward([scored("def f(x): return x * x", tests=tests), scored("def f(x): return x", tests=[tests])])
    assert found == [1.0, 0.0]

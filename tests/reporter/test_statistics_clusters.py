"""Items that hang together are one observation: the same questions asked five times tell no more than once."""

from __future__ import annotations

import numpy as np
import pytest
from assay_reporter.statistics import BenchmarkScores, compare_experiment
from assay_reporter.statistics.comparison import Comparison
from assay_reporter.statistics.scores import ArmScores, cluster_totals, pair_scores
from assay_schemas.experiments import CONTROL

QUESTIONS, WORDINGS = 60, 5


def answers(mean: float, seeds: int, seed: int, questions: int = QUESTIONS) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.random((seeds, questions)) < mean).astype(float)


def compared(wordings: int, clusters: dict[str, str], questions: int = QUESTIONS, shift: float = 0.3) -> Comparison:
    """An arm against control, each question asked in so many wordings that are always answered alike."""
    items = tuple(f"q{question}-{wording}" for question in range(questions) for wording in range(wordings))
    arms = {
        CONTROL: ArmScores(items, answers(0.3, 1, 1, questions).repeat(wordings, axis=1), False, clusters),
        "a": ArmScores(items, answers(0.3 + shift, 3, 2, questions).repeat(wordings, axis=1), True, clusters),
    }
    return compare_experiment([BenchmarkScores("m", arms)]).comparisons[0]


def by_question(wordings: int, questions: int = QUESTIONS) -> dict[str, str]:
    return {f"q{q}-{wording}": f"q{q}" for q in range(questions) for wording in range(wordings)}


def test_a_question_in_five_wordings_says_as_much_as_in_one() -> None:
    once, five = compared(1, {}), compared(WORDINGS, by_question(WORDINGS))
    same = ("verdict", "delta", "mean", "versus_mean", "interval", "interval_90", "p", "n_differing", "more_seeds")
    for name in same:
        assert getattr(five, name) == pytest.approx(getattr(once, name)), name
    assert (five.n_items, five.n_observations) == (QUESTIONS * WORDINGS, QUESTIONS)
    assert (once.n_items, once.n_observations) == (QUESTIONS, QUESTIONS)
    assert "300 items in 60 clusters" in five.reason
    assert "60 items;" not in once.reason
    assert "cluster" not in once.reason


def test_without_the_clusters_the_interval_is_too_narrow() -> None:
    known, unknown = compared(WORDINGS, by_question(WORDINGS)), compared(WORDINGS, {})
    assert known.half_width is not None
    assert unknown.half_width is not None
    assert known.half_width > 1.3 * unknown.half_width


def test_the_mean_over_clusters_of_any_sizes_is_the_mean_over_items() -> None:
    random = np.random.default_rng(0)
    items = [f"i{place}" for place in range(50)]
    clusters = {item: f"c{random.integers(8)}" for item in items[:40]}
    scores = random.normal(size=(3, 50))
    totals = cluster_totals(scores, items, clusters)
    assert totals.shape == (3, len(set(clusters.values())) + 10)
    assert totals.mean(axis=1) == pytest.approx(scores.mean(axis=1))


def test_a_cluster_may_have_the_name_of_an_item_that_is_in_none() -> None:
    totals = cluster_totals(np.array([[1.0, 2.0, 4.0]]), ["a", "b", "c"], {"b": "a", "c": "a"})
    assert totals == pytest.approx(np.array([[1.0, 6.0]]) * 2 / 3)


def test_a_failed_item_leaves_its_cluster_with_the_others() -> None:
    scores = np.array([[1.0, np.nan, 0.0, 1.0]])
    arm = ArmScores(("a", "b", "c", "d"), scores, False, {"a": "x", "b": "x"})
    assert arm.complete.items == ("a", "c", "d")
    assert arm.complete.observations.tolist() == [[1.0, 0.0, 1.0]]


def test_too_few_clusters_that_differ_give_no_verdict_and_what_would_is_said_in_items() -> None:
    nine = 9 * WORDINGS
    items = tuple(f"i{place}" for place in range(100 * WORDINGS))
    clusters = {item: str(place // WORDINGS) for place, item in enumerate(items)}
    fixed = np.zeros((1, len(items)))
    moved = np.zeros((2, len(items)))
    moved[:, :nine] = 1.0
    arms = {CONTROL: ArmScores(items, fixed, False, clusters), "a": ArmScores(items, moved, True, clusters)}
    found = compare_experiment([BenchmarkScores("m", arms)]).comparisons[0]
    assert found.verdict == "underpowered"
    assert "differ on 9 of 100 clusters" in found.reason
    assert found.more_items == 12 * WORDINGS  # 112 clusters would have ten that differ


def test_arms_that_share_only_some_items_are_paired_by_the_clusters_of_those() -> None:
    clusters = {"a": "x", "b": "x", "c": "x"}
    arm = ArmScores(("a", "b", "d"), np.array([[1.0, 0.0, 1.0]]), False, clusters)
    versus = ArmScores(("d", "c", "b", "a"), np.array([[0.0, 0.0, 1.0, 1.0]]), False, clusters)
    pair = pair_scores(arm, versus)
    assert (pair.n_items, pair.n_observations, pair.n_dropped) == (3, 2, 1)
    assert pair.arm.mean() == pytest.approx(2 / 3)
    assert pair_scores(arm.at([0, 1]), versus).n_observations == 1

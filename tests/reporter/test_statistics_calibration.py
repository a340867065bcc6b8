"""A small simulation through the whole of compare_experiment: false verdicts stay rare, real effects are found."""

import numpy as np
import pytest
from assay_reporter.statistics import CONTROL, ArmScores, BenchmarkScores, compare_experiment
from scipy import special

ITEMS = tuple(f"q{i}" for i in range(150))
EXPERIMENTS = 120
SEED_SD = 0.35  # on the probit scale: about 7 points of accuracy, as large as seeds vary in practice


def experiment(rng: np.random.Generator, shift: float) -> BenchmarkScores:
    """Control at .5 and two arms whose expected accuracy over seeds and items is .5 (the first: + shift)."""
    difficulty = rng.normal(0, 1.2, len(ITEMS))

    def answers(accuracy: float, seeds: int, seed_sd: float) -> np.ndarray:
        mean = special.ndtri(accuracy) * np.sqrt(1 + 1.2**2 + seed_sd**2)
        latent = mean + difficulty + seed_sd * rng.standard_normal((seeds, 1))
        return (latent + rng.standard_normal((seeds, len(ITEMS))) > 0).astype(float)

    return BenchmarkScores(
        "simulated",
        {
            CONTROL: ArmScores(ITEMS, answers(0.5, 1, 0.0), trained=False),
            "a": ArmScores(ITEMS, answers(0.5 + shift, 3, SEED_SD)),
            "b": ArmScores(ITEMS, answers(0.5, 3, SEED_SD)),
        },
    )


@pytest.fixture(scope="module")
def null():
    rng = np.random.default_rng(11)
    return [compare_experiment([experiment(rng, 0.0)]) for _ in range(EXPERIMENTS)]


def test_uncorrected_intervals_hold_the_truth_about_as_often_as_they_say(null):
    missed = [abs(each.delta) > each.half_width for result in null for each in result.comparisons]
    assert 0.01 <= np.mean(missed) <= 0.085


def test_an_item_paired_interval_would_miss_it_far_more_often(null):
    """The same simulated experiments do tell a wrong procedure from a right one."""
    rng, missed = np.random.default_rng(11), []
    for _ in range(EXPERIMENTS):
        arms = experiment(rng, 0.0).arms
        difference = arms["a"].scores.mean(axis=0) - arms["b"].scores.mean(axis=0)
        missed.append(abs(difference.mean()) > 1.976 * difference.std(ddof=1) / np.sqrt(len(ITEMS)))
    assert np.mean(missed) > 0.25


def test_primary_verdicts_are_false_in_few_experiments(null):
    false = [any(each.verdict in ("better", "worse") for each in result.of("primary")) for result in null]
    assert np.mean(false) <= 0.085


def test_a_large_effect_is_found_in_its_direction():
    rng = np.random.default_rng(12)
    verdicts = [compare_experiment([experiment(rng, 0.3)]).of("primary")[0].verdict for _ in range(40)]
    assert verdicts.count("better") >= 28
    assert verdicts.count("worse") == 0


def test_the_detectable_effect_is_found_about_four_times_in_five():
    rng = np.random.default_rng(13)
    detectable = np.median(
        [compare_experiment([experiment(rng, 0.0)]).of("primary")[0].smallest_detectable_effect for _ in range(40)]
    )
    found = [
        compare_experiment([experiment(rng, float(detectable))]).of("primary")[0].interval[0] > 0 for _ in range(80)
    ]
    assert 0.65 <= np.mean(found) <= 0.93

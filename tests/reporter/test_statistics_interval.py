"""The formulas against numbers computed another way: scipy's t tests, and the procedure written out in loops."""

import math

import numpy as np
import pytest
from assay_reporter.statistics import CONTROL, ArmScores, BenchmarkScores, Comparison, compare_experiment
from assay_reporter.statistics.interval import SeedTerms, detectable_effect, half_width, p_value
from assay_reporter.statistics.variance import (
    estimate_seed_noise,
    measure_spread,
    pool,
    seed_components,
    unstable,
)
from scipy import special

RNG = np.random.default_rng(7)
ITEMS = 60
DIFFICULTY = RNG.normal(0, 1, ITEMS)


def arm(scores, trained=True) -> ArmScores:
    return ArmScores(tuple(f"q{i}" for i in range(np.shape(scores)[1])), np.asarray(scores, float), trained)


def answers(seeds: int, shift: float) -> np.ndarray:
    return (RNG.normal(0, 1, (seeds, ITEMS)) + DIFFICULTY + shift > 0).astype(float)


def compare(arms: dict[str, ArmScores], name: str, versus: str = CONTROL) -> Comparison:
    result = compare_experiment([BenchmarkScores("maths", arms)])
    return next(each for each in result.comparisons if {each.arm, each.versus} == {name, versus})


def written_out(left: list, right: list, others: list, alpha: float) -> tuple[float, float]:
    """The procedure in plain loops: lists of rows (one per seed); right is one fixed model when it has one row."""
    from scipy import stats

    replicated = [each for each in (left, right, *others) if len(each) > 1]
    n = len(left[0])
    v, c = [], []
    for rows in replicated:
        grand = sum(map(sum, rows)) / (len(rows) * n)
        v.append(sum((sum(row) / n - grand) ** 2 for row in rows) / (len(rows) - 1))
        total = 0.0
        for row in rows:
            for i in range(n):
                item_mean = sum(other[i] for other in rows) / len(rows)
                total += (row[i] - item_mean - sum(row) / n + grand) ** 2
        c.append(total / ((len(rows) - 1) * (n - 1)) / n)
    df = [len(rows) - 1 for rows in replicated]
    nu = sum(df)
    sigma2 = sum(k * (a - b) for k, a, b in zip(df, v, c, strict=True)) / nu
    d = [sum(r[i] for r in left) / len(left) - sum(r[i] for r in right) / len(right) for i in range(n)]
    mean = sum(d) / n
    width2 = stats.t.ppf(1 - alpha / 2, n - 1) ** 2 * sum((x - mean) ** 2 for x in d) / (n - 1) / n
    for g, rows in enumerate(replicated):
        if rows is left or rows is right:
            others_mean = sum(df[h] * v[h] for h in range(len(v)) if h != g) / (nu - df[g])
            gated = v[g] > stats.f.ppf({1: 0.90, 2: 0.85}.get(df[g], 0.80), df[g], nu - df[g]) * others_mean
            s2, k = (max(v[g], c[g] + sigma2), df[g]) if gated else (c[g] + sigma2, nu)
            t2, ti2 = stats.t.ppf(1 - alpha / 2, k) ** 2, stats.t.ppf(1 - alpha / 2, n - 1) ** 2
            width2 += max(0.0, t2 * s2 - ti2 * c[g]) / len(rows)
    return mean, math.sqrt(width2)


@pytest.mark.parametrize("sizes", [(3, 3, 3), (2, 4, 3), (5, 2, 2)])
def test_the_interval_is_the_procedure_written_out(sizes):
    a, b, third = (answers(seeds, shift) for seeds, shift in zip(sizes, (0.6, 0.2, 0.0), strict=True))
    control = answers(1, 0.0)
    arms = {CONTROL: arm(control, False), "a": arm(a), "b": arm(b), "third": arm(third)}
    against_control, between = compare(arms, "a"), compare(arms, "a", "b")
    for comparison, right, others in ((against_control, control, [b, third]), (between, b, [third])):
        mean, width = written_out(a.tolist(), right.tolist(), [x.tolist() for x in others], 0.05)
        sign = 1 if comparison.arm == "a" else -1
        assert comparison.delta == pytest.approx(sign * mean)
        assert comparison.half_width == pytest.approx(width)
        assert comparison.interval == pytest.approx((sign * mean - width, sign * mean + width))
    _, at_p = written_out(a.tolist(), control.tolist(), [b.tolist(), third.tolist()], against_control.p)
    assert at_p == pytest.approx(abs(against_control.delta), rel=1e-6)


def test_two_fixed_models_are_the_paired_t_test():
    from scipy import stats

    control, other = answers(1, 0.0), answers(1, 0.5)
    comparison = compare({CONTROL: arm(control, False), "api": arm(other, False)}, "api")
    expected = stats.ttest_rel(other[0], control[0])
    assert comparison.p == pytest.approx(expected.pvalue)
    assert comparison.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert comparison.interval_90 == pytest.approx(tuple(expected.confidence_interval(0.90)))
    assert comparison.df is None
    assert comparison.seed_sd is None


def test_without_item_noise_an_arm_against_control_is_the_t_test_of_its_seed_means():
    from scipy import stats

    seed_effects = np.array([0.11, 0.03, 0.07])
    comparison = compare({CONTROL: arm(DIFFICULTY[None], False), "a": arm(DIFFICULTY + seed_effects[:, None])}, "a")
    expected = stats.ttest_1samp(seed_effects, 0.0)
    assert comparison.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert comparison.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert comparison.seed_sd == pytest.approx(0.04)
    assert comparison.df == 2


def test_without_item_noise_two_arms_are_the_pooled_two_sample_t_test():
    from scipy import stats

    a, b = np.array([0.10, 0.03, 0.05]), np.array([0.01, -0.04, 0.02])
    arms = {CONTROL: arm(DIFFICULTY[None], False), "a": arm(DIFFICULTY + a[:, None]), "b": arm(DIFFICULTY + b[:, None])}
    comparison = compare(arms, "b", "a")
    expected = stats.ttest_ind(b, a)
    assert comparison.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert comparison.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert comparison.df == 4


def test_residual_mean_square_of_a_table_done_by_hand():
    # rows 1 0 1 / 0 0 1: item means .5 0 1, seed means 2/3 1/3, grand 1/2; residuals ±1/3, ∓1/6, ∓1/6
    v, mean_square = seed_components(np.array([[1.0, 0, 1], [0, 0, 1]]))
    assert v == pytest.approx(1 / 18)
    assert mean_square == pytest.approx((2 / 9 + 4 / 36) / 2)


def test_pooled_seed_variance_is_kept_when_negative():
    pooled = pool(np.array([1.0, 1.0]), np.array([2.0, 4.0]), np.array([3, 3]))
    assert pooled.sigma2 == pytest.approx(-2.0)
    assert pooled.s2 == pytest.approx([0.0, 2.0])
    assert pooled.nu == 4


def test_an_arm_whose_seeds_vary_too_much_keeps_its_own_variance():
    # F_.85(2, 4) = 3.1640: 3.16 times the others' mean is let through, 3.17 is not
    c = np.zeros(3)
    below = pool(np.array([3.16, 1.5, 0.5]), c, np.array([3, 3, 3]))
    above = pool(np.array([3.17, 1.5, 0.5]), c, np.array([3, 3, 3]))
    assert not below.gated.any()
    assert below.s2 == pytest.approx([5.16 / 3] * 3)
    assert above.gated.tolist() == [True, False, False]
    assert above.s2 == pytest.approx([3.17, 5.17 / 3, 5.17 / 3])
    assert above.df.tolist() == [2, 6, 6]


@pytest.mark.parametrize(("seeds", "level"), [(2, 0.90), (3, 0.85), (4, 0.80), (6, 0.80)])
def test_more_seeds_hold_an_arm_apart_sooner(seeds, level):
    bound = special.fdtri(seeds - 1, 2 * (seeds - 1), level)
    for times, expected in ((0.999, False), (1.001, True)):
        v = np.array([[bound * times, 1.2, 0.8]])
        assert unstable(v, np.full((1, 3), seeds - 1)).tolist() == [expected, False, False]


def test_an_arm_held_apart_is_never_surer_than_the_pooled_variance():
    held = pool(np.array([0.1, 2.0, 2.1]), np.zeros(3), np.array([3, 3, 3]), np.array([True, False, False]))
    assert held.s2 == pytest.approx([1.4] * 3)
    assert held.df.tolist() == [2, 6, 6]


def test_what_no_benchmark_shows_alone_all_of_them_show_together():
    v = np.array([[4.0, 1.3, 0.7], [5.0, 0.8, 1.2], [3.5, 1.0, 1.0]])
    df = np.ones((3, 3), dtype=int)
    assert not any(unstable(v[None, row], df[:1]).any() for row in range(3))
    assert unstable(v, df).tolist() == [True, False, False]
    assert unstable(v * np.array([[1.0], [100.0], [0.01]]), df).tolist() == [True, False, False]  # units do not matter


def test_benchmarks_on_which_nothing_can_be_seen_say_nothing():
    alone, nothing, seen = [[9.0, 0.0]], [[0.0, 0.0]], [[50.0, 1.0]]
    df = np.array([[1, 0], [1, 1], [1, 1]])
    assert unstable(np.array(seen), df[1:2]).tolist() == [True, False]
    assert unstable(np.array(alone), df[:1]).tolist() == [False, False]
    assert unstable(np.array(nothing), df[1:2]).tolist() == [False, False]
    assert unstable(np.array(alone + nothing), df[:2]).tolist() == [False, False]


def test_an_arm_with_one_seed_takes_the_pooled_noise():
    arms = {"a": arm(answers(3, 0)), "b": arm(answers(4, 0)), "single": arm(answers(1, 0))}
    noise = estimate_seed_noise(measure_spread(arms))
    a, b, single = (noise.arms[name] for name in ("a", "b", "single"))
    assert noise.nu == 5
    assert single.df == 5
    assert single.residual == pytest.approx((2 * a.residual + 3 * b.residual) / 5)
    assert single.excess == pytest.approx(a.excess)
    assert single.own_excess is None


def test_an_arm_on_other_items_lends_its_variance_all_the_same():
    elsewhere = ArmScores(tuple(f"other{i}" for i in range(ITEMS)), answers(3, 0))
    assert estimate_seed_noise(measure_spread({"a": arm(answers(3, 0)), "elsewhere": elsewhere})).nu == 4


def test_leading_axes_are_experiments():
    many = RNG.random((6, 4, 3, 20))
    v, mean_square = seed_components(many)
    one_v, one_mean_square = seed_components(many[5, 2])
    assert v.shape == (6, 4)
    assert v[5, 2] == pytest.approx(float(one_v))
    assert mean_square[5, 2] == pytest.approx(float(one_mean_square))


def terms(s2: float, c: float, df: float, seeds: int) -> SeedTerms:
    return SeedTerms(np.array([s2]), np.array([c]), np.array([df]), np.array([seeds]))


def test_each_variance_has_its_own_critical_value():
    # t_.975: 99 df 1.98422, 4 df 2.77645
    width = half_width(0.05, 0.0004, 100, terms(0.0009, 0.0001, 4, 3))
    assert float(width) == pytest.approx(
        math.sqrt(1.98422**2 * 0.0004 + (2.77645**2 * 0.0009 - 1.98422**2 * 0.0001) / 3), rel=1e-5
    )


def test_a_negative_seed_part_takes_nothing_from_the_item_part():
    assert float(half_width(0.05, 0.0004, 100, terms(0.0, 0.0009, 4, 3))) == pytest.approx(1.98422 * 0.02, rel=1e-5)


@pytest.mark.parametrize(("delta", "expected"), [(0.0, 1.0), (1e9, 0.0)])
def test_p_at_the_ends(delta, expected):
    assert p_value(delta, 1e-4, 100, terms(1e-4, 5e-5, 200, 3)) == expected


def test_the_detectable_effect_of_two_fixed_models_is_the_usual_formula():
    from scipy import stats

    nothing = SeedTerms(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0, dtype=int))
    expected = (stats.t.ppf(0.975, 99) + stats.t.ppf(0.8, 99)) * 0.02
    assert detectable_effect(0.0004, 100, nothing) == pytest.approx(expected)

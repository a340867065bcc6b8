"""Whatever the scores: a word, a plain sentence, numbers that agree with each other, and no crash or warning."""

import json
import warnings

import numpy as np
import pytest
from assay_reporter.statistics import CONTROL, PLACEBO, ArmScores, BenchmarkScores, Comparison, compare_experiment
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = {"better", "worse", "tied", "underpowered", "broken"}
VALUES = {
    "right or wrong": st.sampled_from([0.0, 1.0]),
    "with failures": st.sampled_from([0.0, 1.0, 1.0, 1.0, float("nan")]),
    "real": st.floats(-5, 5),
    "wild": st.floats(allow_nan=True, allow_infinity=True),
    "large or tiny": st.sampled_from([1e49, -1e49, 1e-300, 5e-324, 0.0, 1e-12]),
    "all right": st.just(1.0),
    "all wrong": st.just(0.0),
}


@st.composite
def arms_scores(draw, trained: bool, values: str) -> ArmScores:
    start, n_items = draw(st.sampled_from([0, 0, 0, 5, 100])), draw(st.sampled_from([0, 1, 2, 10, 11, 30]))
    seeds = draw(st.integers(0, 4)) if trained else draw(st.integers(0, 1))
    seed = draw(st.integers(0, 2**20))
    palette = draw(st.lists(VALUES[values], min_size=1, max_size=6))
    scores = np.random.default_rng(seed).choice(np.array(palette), size=(seeds, n_items))
    return ArmScores(tuple(f"q{start + i}" for i in range(n_items)), scores, trained)


@st.composite
def experiments(draw) -> list[BenchmarkScores]:
    values = draw(st.sampled_from(sorted(VALUES)))
    names = draw(st.lists(st.sampled_from(["a", "b", "c", PLACEBO, CONTROL]), unique=True, max_size=5))
    arms = {name: draw(arms_scores(name != CONTROL, values)) for name in names}
    return [
        BenchmarkScores("one", arms, draw(st.booleans()), draw(st.booleans())),
        BenchmarkScores("two", {name: arms[name] for name in names[:2]}),
    ]


def check(comparison: Comparison) -> None:
    assert comparison.verdict in WORDS
    assert comparison.reason.endswith(".")
    assert "nan" not in comparison.reason.split()
    json.loads(comparison.model_dump_json())
    assert (comparison.interval is None) == (comparison.p is None)
    if comparison.verdict == "broken":
        assert comparison.delta is None
    if comparison.interval is None:
        assert comparison.verdict in ("underpowered", "broken")
        return
    low, high = comparison.interval
    assert np.isfinite([low, high, comparison.smallest_detectable_effect]).all()
    assert low <= comparison.interval_90[0] <= comparison.delta <= comparison.interval_90[1] <= high
    assert 0 <= comparison.p <= (1 if comparison.p_holm is None else comparison.p_holm) <= 1
    assert (comparison.p <= 0.05) == (abs(comparison.delta) > comparison.half_width)
    if comparison.verdict in ("better", "worse"):
        assert (comparison.delta > 0) == ((comparison.verdict == "better") == comparison.higher_is_better)
    assert comparison.n_differing >= 10


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(experiments())
def test_any_scores_give_a_word_a_sentence_and_numbers_that_agree(benchmarks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = compare_experiment(benchmarks)
    for comparison in result.comparisons:
        check(comparison)
    trained = {name for scores in benchmarks for name, arm in scores.arms.items() if arm.trained} - {PLACEBO}
    assert len(result.of("primary")) == 2 * len(trained)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.integers(1, 4))
def test_unit_and_order_do_not_matter(seed, factor, seeds):
    rng = np.random.default_rng(seed)
    items = np.array([f"q{i}" for i in range(25)])
    tables = {CONTROL: rng.normal(size=(1, 25)), "a": rng.normal(size=(seeds, 25)), "b": rng.normal(size=(3, 25))}

    def result(scale: float, order: np.ndarray) -> list[Comparison]:
        arms = {
            name: ArmScores(tuple(items[order]), scale * table[:, order], name != CONTROL)
            for name, table in tables.items()
        }
        benchmark = BenchmarkScores("x", arms, proportion=False)
        return list(compare_experiment([benchmark], smallest_effects={"x": scale * 0.5}).comparisons)

    for plain, other in zip(result(1, np.arange(25)), result(factor, rng.permutation(25)), strict=True):
        assert other.verdict == plain.verdict
        assert other.p == pytest.approx(plain.p, rel=1e-6)
        assert other.half_width == pytest.approx(factor * plain.half_width)
        assert other.more_seeds == plain.more_seeds


def one(control: object, arm: object, *, items: int = 40, offset: int = 0) -> Comparison:
    def table(scores: object, seeds: int) -> np.ndarray:
        return np.broadcast_to(np.asarray(scores, float), (seeds, items)).copy()

    arms = {
        CONTROL: ArmScores(tuple(f"q{i}" for i in range(items)), table(control, 1), trained=False),
        "a": ArmScores(tuple(f"q{i + offset}" for i in range(items)), table(arm, 3)),
    }
    comparison = compare_experiment([BenchmarkScores("maths", arms)]).comparisons[0]
    check(comparison)
    return comparison


def test_all_right_against_all_wrong_is_better_and_says_that_nothing_varied():
    comparison = one(0.0, 1.0)
    assert comparison.verdict == "better"
    assert comparison.interval == (1.0, 1.0)
    assert any("no width" in note for note in comparison.notes)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_arms_that_agree_on_every_item_get_no_verdict(value):
    comparison = one(value, value)
    assert comparison.verdict == "underpowered"
    assert comparison.reason.startswith("a and control differ on 0 of 40 items")
    assert comparison.reason.endswith("Items that are harder, or easier, may tell them apart.")
    assert comparison.more_items is None


def test_one_item_gives_no_verdict():
    assert "differ on 1 of 1 item;" in one(0.0, 1.0, items=1).reason


def test_disjoint_items_leave_nothing_to_compare():
    comparison = one(0.0, 1.0, offset=40)
    assert comparison.verdict == "broken"
    assert comparison.reason == "a and control share no scored item of maths, so there is nothing to compare."
    assert comparison.n_dropped == 80


def test_a_seed_without_any_score_is_reported_and_not_left_out():
    collapsed = np.ones((3, 40))
    collapsed[1] = np.nan
    comparison = one(0.0, collapsed)
    assert comparison.verdict == "broken"
    assert "Replicate 2 of 3 of a has no scored item" in comparison.reason


def test_items_that_each_fail_in_some_seed_are_named():
    patchy = np.ones((3, 40))
    patchy[0, :20] = np.nan
    patchy[2, 20:] = np.nan
    assert "No item of maths was scored in every seed of a" in one(0.0, patchy).reason


def test_an_infinite_perplexity_is_broken_and_does_not_spoil_the_other_arms():
    rng = np.random.default_rng(0)
    items = tuple(f"q{i}" for i in range(40))
    exploded = rng.normal(3, 1, (3, 40))
    exploded[0, 0] = np.inf
    arms = {
        CONTROL: ArmScores(items, rng.normal(3, 1, (1, 40)), trained=False),
        "exploded": ArmScores(items, exploded),
        "fine": ArmScores(items, rng.normal(3, 1, (3, 40))),
    }
    result = compare_experiment([BenchmarkScores("ppl", arms, higher_is_better=False, proportion=False)])
    exploded_result, fine = result.of("primary")
    assert exploded_result.verdict == "broken"
    assert "infinite or absurdly large" in exploded_result.reason
    assert fine.interval is not None
    assert fine.df == 2


def test_scores_of_a_constant_shift_by_rounding_are_no_difference():
    scores = np.full((3, 40), 0.1)
    assert one(0.1, scores).n_differing == 0


def test_no_benchmarks_are_no_comparisons():
    assert compare_experiment([]).comparisons == ()

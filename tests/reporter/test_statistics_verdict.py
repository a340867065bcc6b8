"""Verdicts, their sentences, families and notes, on whole experiments."""

import json

import numpy as np
import pytest
from assay_reporter.statistics import (
    CONTROL,
    PLACEBO,
    ArmScores,
    BenchmarkScores,
    average_samples,
    compare_experiment,
)
from assay_reporter.statistics.family import default_smallest_effect, holm
from assay_reporter.statistics.verdict import judge

ITEMS = tuple(f"q{i}" for i in range(400))


def arm(accuracy, seeds=3, seed_sd=0.0, trained=True, noise=0.1) -> ArmScores:
    """Answers that share the items' difficulty; every arm of a test has its own random numbers."""
    rng = np.random.default_rng(int(accuracy * 1000) + seeds)
    difficulty = np.random.default_rng(0).random(len(ITEMS))
    means = accuracy + seed_sd * rng.standard_normal(seeds)
    noisy = difficulty + noise * rng.standard_normal((seeds, len(ITEMS)))
    return ArmScores(ITEMS, (noisy < means[:, None]).astype(float), trained)


def control(accuracy=0.4) -> ArmScores:
    return arm(accuracy, seeds=1, trained=False)


def one(arms, **options):
    benchmark = BenchmarkScores("maths", {CONTROL: control(), **arms}, **options)
    return compare_experiment([benchmark]).comparisons[0]


def test_an_arm_clearly_above_control_is_better_and_one_clearly_below_is_worse():
    better = one({"clean": arm(0.6)})
    worse = one({"wrong": arm(0.2)})
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.reason.startswith("clean is better than control: +")
    assert "95 % interval +" in better.reason
    assert "3 seeds, 400 items" in better.reason
    assert better.delta == pytest.approx(better.mean - better.versus_mean)


def test_lower_is_better_turns_the_verdict_round_and_leaves_the_delta():
    up = one({"clean": arm(0.6)}, higher_is_better=False, proportion=False)
    assert up.verdict == "worse"
    assert up.delta > 0
    assert "points" not in up.reason


def test_equal_arms_with_little_noise_are_tied():
    quiet = {CONTROL: arm(0.42, seeds=1, trained=False, noise=0.01), "same": arm(0.42, seeds=5, noise=0.02)}
    tied = compare_experiment([BenchmarkScores("maths", quiet)]).comparisons[0]
    assert tied.verdict == "tied"
    assert "90 % interval lies within ±2.0 points" in tied.reason
    low, high = tied.interval_90
    assert -0.02 < low < high < 0.02


def test_tied_is_a_matter_of_the_90_percent_interval():
    benchmark = BenchmarkScores("maths", {CONTROL: control(0.41), "same": arm(0.4)})

    def verdict(smallest_effect: float) -> str:
        return compare_experiment([benchmark], smallest_effects={"maths": smallest_effect}).comparisons[0].verdict

    known = compare_experiment([benchmark]).comparisons[0]
    edge_90 = max(map(abs, known.interval_90))
    assert edge_90 < max(map(abs, known.interval))
    assert (verdict(0.99 * edge_90), verdict(1.01 * edge_90)) == ("underpowered", "tied")


def test_noisy_seeds_leave_the_question_open_and_say_what_would_settle_it():
    scores = np.zeros((3, 400))
    for row, right in enumerate((140, 180, 200)):
        scores[row, :right] = 1
    noisy = one({"noisy": ArmScores(ITEMS, scores)})
    assert noisy.verdict == "underpowered"
    assert noisy.reason.startswith("No verdict yet: noisy against control ")
    assert "would often be missed" in noisy.reason
    assert noisy.smallest_detectable_effect > noisy.half_width


def test_the_seed_noise_that_item_pairing_hides_is_counted():
    seeds = np.array([[1.0] * 204 + [0.0] * 196, [1.0] * 170 + [0.0] * 230])
    fixed = ArmScores(ITEMS, np.array([[1.0] * 160 + [0.0] * 240]), trained=False)
    comparison = compare_experiment([BenchmarkScores("maths", {CONTROL: fixed, "a": ArmScores(ITEMS, seeds)})])
    assert comparison.comparisons[0].verdict == "underpowered"
    assert comparison.comparisons[0].seed_sd > 0.05


def test_fewer_than_ten_differing_items_give_no_verdict():
    fixed = control()
    almost = fixed.scores.repeat(3, axis=0)
    almost[:, :9] = 1 - almost[:, :9]
    nine = compare_experiment([BenchmarkScores("m", {CONTROL: fixed, "a": ArmScores(ITEMS, almost)})]).comparisons[0]
    almost[:, 9] = 1 - almost[:, 9]
    ten = compare_experiment([BenchmarkScores("m", {CONTROL: fixed, "a": ArmScores(ITEMS, almost)})]).comparisons[0]
    assert nine.verdict == "underpowered"
    assert nine.interval is None
    assert nine.p is None
    assert nine.n_differing == 9
    assert "differ on 9 of 400 items" in nine.reason
    assert nine.more_items == 45
    assert ten.interval is not None


def test_one_seed_is_about_the_checkpoint_and_names_the_seed_sd_that_would_flip_it():
    single = one({"single": arm(0.6, seeds=1)})
    assert single.verdict == "underpowered"
    assert single.interval is None
    assert single.more_seeds == 2
    assert "no verdict about the data" in single.reason
    assert "seed sd were above" in single.reason


def test_one_replicated_arm_lends_its_variance_to_single_seeds():
    result = compare_experiment(
        [BenchmarkScores("maths", {CONTROL: control(), "single": arm(0.7, seeds=1), "clean": arm(0.6, seeds=4)})]
    )
    single = result.comparisons[0]
    assert single.verdict == "better"
    assert single.df == 3
    assert single.own_interval is None
    assert any("takes its seed variance from the other arms" in note for note in single.notes)


def test_the_placebo_joins_the_variance_and_stays_outside_the_family():
    arms = {"clean": arm(0.6), "wrong": arm(0.2), PLACEBO: arm(0.61)}
    result = compare_experiment([BenchmarkScores("maths", {CONTROL: control(), **arms})])
    assert [(each.arm, each.versus) for each in result.of("primary")] == [("clean", CONTROL), ("wrong", CONTROL)]
    assert [(each.arm, each.versus) for each in result.of("check")] == [(PLACEBO, "clean")]
    assert {(each.arm, each.versus) for each in result.of("exploratory")} == {(PLACEBO, CONTROL), ("wrong", "clean")}
    assert result.of("primary")[0].df == 6
    assert result.placebo_flags == ()


def test_a_placebo_that_differs_from_the_arm_it_copies_flags_the_report():
    arms = {"clean": arm(0.6), PLACEBO: arm(0.2)}
    result = compare_experiment([BenchmarkScores("maths", {CONTROL: control(), **arms})])
    assert len(result.placebo_flags) == 1
    assert "The placebo differs from clean on maths" in result.placebo_flags[0]


def test_the_placebo_is_held_against_the_named_first_arm():
    arms = {"wrong": arm(0.2), "clean": arm(0.6), PLACEBO: arm(0.61)}
    result = compare_experiment([BenchmarkScores("maths", {CONTROL: control(), **arms})], first_arm="clean")
    assert [(each.arm, each.versus) for each in result.of("check")] == [(PLACEBO, "clean")]


def test_exploratory_comparisons_say_so_and_are_not_corrected():
    result = compare_experiment([BenchmarkScores("m", {CONTROL: control(), "a": arm(0.6), "b": arm(0.2)})])
    (between,) = result.of("exploratory")
    assert (between.arm, between.versus, between.verdict) == ("b", "a", "worse")
    assert between.p_holm is None
    assert any(note.startswith("Exploratory") for note in between.notes)


def test_holm_is_the_step_down_procedure():
    # ordered .01 × 4, .02 × 3, .03 × 2, .04 × 1, then made monotone
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([]) == []


def test_a_difference_may_stand_alone_and_not_after_correction():
    def borderline(seeds=5):
        rng = np.random.default_rng(3)
        flips = rng.permutation(400)[:40]
        scores = control().scores.repeat(seeds, axis=0)
        scores[:, flips] = (np.arange(40) < 24).astype(float)
        return ArmScores(ITEMS, scores)

    alone = compare_experiment([BenchmarkScores("b0", {CONTROL: control(), "a": borderline()})]).comparisons[0]
    twelve = [BenchmarkScores(f"b{i}", {CONTROL: control(), "a": borderline()}) for i in range(12)]
    among = compare_experiment(twelve).comparisons[0]
    assert 0.05 / 12 < alone.p < 0.05
    assert alone.verdict in ("better", "worse")
    assert among.verdict == "underpowered"
    assert "not after correction for 12 comparisons" in among.reason
    assert among.p == alone.p
    assert among.p_holm == pytest.approx(min(1.0, 12 * alone.p))


def test_a_declared_family_holds_only_what_was_declared_and_keeps_what_is_missing():
    arms = {CONTROL: control(), "a": arm(0.6), "b": arm(0.2)}
    declared = [("a", "maths"), ("lost", "maths")]
    result = compare_experiment([BenchmarkScores("maths", arms)], primary=declared)
    a, lost = result.of("primary")
    assert a.p_holm == pytest.approx(2 * a.p)
    assert lost.verdict == "broken"
    assert "lost has no scores on maths" in lost.reason
    assert ("b", CONTROL) in {(each.arm, each.versus) for each in result.of("exploratory")}


def test_an_arm_missing_on_one_benchmark_is_broken_there_and_not_silent():
    complete = BenchmarkScores("maths", {CONTROL: control(), "a": arm(0.6), "b": arm(0.5)})
    partly = BenchmarkScores("words", {CONTROL: control(), "a": arm(0.6)})
    result = compare_experiment([complete, partly])
    assert [(c.arm, c.benchmark, c.verdict == "broken") for c in result.of("primary")] == [
        ("a", "maths", False),
        ("b", "maths", False),
        ("a", "words", False),
        ("b", "words", True),
    ]


def test_below_five_seeds_the_own_variance_interval_is_printed_beside_the_pooled_one():
    three = one({"a": arm(0.6, seed_sd=0.02), "b": arm(0.5, seed_sd=0.02)})
    five = one({"a": arm(0.6, seeds=5, seed_sd=0.02), "b": arm(0.5, seeds=5, seed_sd=0.02)})
    assert three.own_interval is not None
    assert five.own_interval is None


def test_a_verdict_that_needs_the_pooled_variance_says_so():
    two_seeds = np.array([[1.0] * 190 + [0.0] * 210, [1.0] * 200 + [0.0] * 200])
    quiet = [ArmScores(ITEMS, np.array([[1.0] * k + [0.0] * (400 - k) for k in (195, 199, 203, 207)])) for _ in "ab"]
    fixed = ArmScores(ITEMS, np.array([[1.0] * 150 + [0.0] * 250]), trained=False)
    arms = {CONTROL: fixed, "a": ArmScores(ITEMS, two_seeds), "b": quiet[0], "c": quiet[1]}
    a = compare_experiment([BenchmarkScores("maths", arms)]).comparisons[0]
    low, high = a.own_interval
    assert a.verdict == "better"
    assert low < 0 < high
    assert any("relies on equal seed variance" in note.lower() for note in a.notes)


def test_an_arm_that_other_benchmarks_show_unstable_gets_no_verdict_from_two_seeds_that_agree_by_chance():
    def right(*counts) -> ArmScores:
        return ArmScores(ITEMS, np.array([[1.0] * k + [0.0] * (400 - k) for k in counts]), trained=len(counts) > 1)

    def benchmark(name: str, a: tuple[int, int]) -> BenchmarkScores:
        quiet = right(195, 199, 203, 207)
        return BenchmarkScores(name, {CONTROL: right(150), "a": right(*a), "b": quiet, "c": quiet})

    alike = benchmark("maths", (190, 200))
    alone = compare_experiment([alike]).comparisons[0]
    words, code = benchmark("words", (120, 280)), benchmark("code", (90, 240))
    assert compare_experiment([alike, words]).comparisons[0].df == 7  # of two, one does not speak for the other
    together = compare_experiment([alike, words, code])
    a, b = together.comparisons[:2]
    assert (alone.verdict, alone.df) == ("better", 7)
    assert (a.arm, a.benchmark, a.verdict, a.df) == ("a", "maths", "underpowered", 1)
    assert any("seeds vary more than the other arms'" in note and "Give 3 more seeds" in note for note in a.notes)
    assert a.own_interval == a.interval
    assert (b.arm, b.verdict, b.df) == ("b", "better", 7)


def test_a_real_effect_below_the_smallest_of_interest_is_named_as_such():
    benchmark = BenchmarkScores("maths", {CONTROL: control(), "clean": arm(0.6)})
    clean = compare_experiment([benchmark], smallest_effects={"maths": 0.5}).comparisons[0]
    assert clean.verdict == "better"
    assert any("smaller than the smallest effect of interest" in note for note in clean.notes)


def test_the_default_smallest_effect_is_two_points_or_two_percent_of_control():
    arms = {CONTROL: ArmScores(("a", "b"), np.array([[4.0, 6.0]]), trained=False)}
    assert default_smallest_effect(BenchmarkScores("acc", arms)) == 0.02
    assert default_smallest_effect(BenchmarkScores("bpb", arms, proportion=False)) == pytest.approx(0.1)
    assert default_smallest_effect(BenchmarkScores("bpb", {}, proportion=False)) == 0.0


def test_items_are_joined_by_id_in_any_order():
    clean = arm(0.6)
    order = np.random.default_rng(1).permutation(400)
    shuffled = ArmScores(tuple(ITEMS[i] for i in order), clean.scores[:, order])
    straight, mixed = one({"clean": clean}), one({"clean": shuffled})
    assert mixed.delta == pytest.approx(straight.delta)
    assert mixed.half_width == pytest.approx(straight.half_width)


def test_failed_and_missing_items_are_left_out_and_counted():
    clean = arm(0.6)
    clean.scores[1, :7] = np.nan
    fewer = ArmScores(ITEMS[:-5], clean.scores[:, :-5])
    comparison = one({"clean": fewer})
    assert comparison.n_items == 388
    assert comparison.n_dropped == 12
    assert "12 items of 400 left out" in comparison.notes[0]


def test_seeds_that_are_copies_of_each_other_are_noticed():
    copies = ArmScores(ITEMS, arm(0.6, seeds=1).scores.repeat(3, axis=0))
    assert any("check that the seed reaches training" in note for note in one({"clean": copies}).notes)


def test_samples_of_an_item_are_averaged_first_and_a_failed_sample_fails_its_item():
    first, second = np.array([1.0, 0.0, 1.0]), np.array([1.0, np.nan, 1.0])
    scores = average_samples([(0, ["x", "x", "y"], first), (7, ["x", "y", "y"], second)])
    assert scores.items == ("x", "y")
    np.testing.assert_array_equal(scores.scores, [[0.5, 1.0], [1.0, np.nan]])
    assert scores.complete.items == ("x",)


def test_comparisons_are_plain_json():
    text = one({"clean": arm(0.6)}).model_dump_json()
    assert json.loads(text)["verdict"] == "better"


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ArmScores(("a",), np.zeros((2, 2))), "scores"),
        (lambda: ArmScores(("a", "a"), np.zeros((2, 2))), "items"),
        (lambda: ArmScores(("a",), np.zeros((2, 1)), trained=False), "scores"),
        (lambda: BenchmarkScores("b", {CONTROL: ArmScores(("a",), np.zeros((1, 1)))}), "control"),
        (lambda: compare_experiment([BenchmarkScores("b"), BenchmarkScores("b")]), "benchmarks"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(make, field):
    with pytest.raises(ValueError, match=f"^{field}: "):
        make()


@pytest.mark.parametrize(
    ("p", "delta", "width_90", "higher", "word"),
    [
        (0.05, 0.1, 0.09, True, "better"),
        (0.05, 0.1, 0.09, False, "worse"),
        (0.05, -0.1, 0.09, False, "better"),
        (0.051, 0.005, 0.01, True, "tied"),
        (0.051, 0.005, 0.015, True, "underpowered"),
    ],
)
def test_the_rule_at_its_edges(p, delta, width_90, higher, word):
    assert judge(delta, p, width_90, 0.02, higher_is_better=higher) == word

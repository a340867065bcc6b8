"""What is said of seeds and items to add."""

import numpy as np
import pytest
from assay_reporter.statistics.interval import SeedTerms, half_width
from assay_reporter.statistics.power import Plan, Precision, flipping_seed_sd, plan_more
from scipy import special


def precision(item_variance=0.0001, n_items=1000, s2=0.0004, c=0.00008, df=6.0, seeds=3, arms=3, gated=False):
    terms = SeedTerms(np.array([s2]), np.array([c]), np.array([df]), np.array([seeds]))
    return Precision(item_variance, n_items, terms, np.array([gated]), arms)


def expected_width(seeds: int, p: Precision) -> float:
    """The planning formula written out for one trained arm."""
    s2, c, df = float(p.terms.s2[0]), float(p.terms.c[0]), float(p.terms.df[0])
    residual, n = c * p.n_items, p.n_items
    limit = df * s2 / (2 * special.gammaincinv(df / 2, 0.2)) - c
    between = n * p.item_variance - residual / 3
    t, ti = special.stdtrit(p.n_arms * (seeds - 1), 0.975), special.stdtrit(n - 1, 0.975)
    item_part = ti**2 * (between + residual / seeds) / n
    return float(np.sqrt(item_part + (t**2 * (c + limit) - ti**2 * c) / seeds))


def test_the_seeds_to_add_are_the_fewest_that_reach_the_target():
    known = precision()
    plan = plan_more(known, 0.025)
    total = 3 + plan.more_seeds
    assert plan.more_items == 0
    assert expected_width(total, known) <= 0.025 < expected_width(total - 1, known)


def test_a_wider_target_needs_fewer_seeds():
    needed = [plan_more(precision(), target).more_seeds for target in (0.022, 0.026, 0.030)]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] > needed[-1] > 0


def test_the_plan_uses_an_upper_limit_not_the_estimate():
    known = precision()
    plug_in = next(
        seeds
        for seeds in range(2, 100)
        if float(
            half_width(
                0.05,
                0.0001,
                1000,
                SeedTerms(known.terms.s2, known.terms.c, np.array([3.0 * seeds - 3]), np.array([seeds])),
            )
        )
        <= 0.025
    )
    assert 3 + plan_more(known, 0.025).more_seeds > plug_in


def test_where_items_alone_exceed_the_target_more_items_are_asked_for():
    plan = plan_more(precision(item_variance=0.0004, n_items=100, s2=0.00002, c=0.00001), 0.02)
    assert plan.more_seeds == 0
    assert plan.more_items > 200


def test_where_both_are_short_both_are_asked_for():
    plan = plan_more(precision(item_variance=0.001, n_items=100, s2=0.002), 0.02)
    assert plan.more_seeds > 0
    assert plan.more_items > 0


def test_nothing_is_asked_for_when_the_interval_is_narrow_already():
    assert plan_more(precision(), 0.5) == Plan(0, 0)


@pytest.mark.parametrize("target", [0.0, 1e-9])
def test_no_plan_is_made_up_for_a_target_out_of_reach(target):
    assert plan_more(precision(), target) == Plan(None, None)


def test_a_gated_arm_can_lean_on_its_own_seeds_only():
    pooled, apart = precision(), precision(gated=True)
    assert plan_more(apart, 0.025).more_seeds > plan_more(pooled, 0.025).more_seeds


def test_one_seed_conclusion_flips_at_the_sd_that_brings_zero_into_the_interval():
    sd = flipping_seed_sd(0.08, 0.0004, 400, 2)
    width = np.sqrt(special.stdtrit(399, 0.975) ** 2 * 0.0004 + special.ndtri(0.975) ** 2 * 2 * sd**2)
    assert width == pytest.approx(0.08)


def test_one_seed_conclusion_that_items_do_not_carry_has_no_flip():
    assert flipping_seed_sd(0.03, 0.0004, 400, 1) == 0.0

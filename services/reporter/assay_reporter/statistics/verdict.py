"""The verdict of one comparison, from its numbers and its p-value corrected within the family.

Gives one of five words with a sentence; never touches scores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from assay_schemas.reports import VerdictWord

from assay_reporter.amounts import amount
from assay_reporter.statistics import sentences
from assay_reporter.statistics.comparison import Comparison, Interval
from assay_reporter.statistics.estimate import Estimate, Measured, Refusal
from assay_reporter.statistics.interval import LEVEL
from assay_reporter.statistics.power import Plan, Precision, plan_more
from assay_reporter.statistics.question import Counts, Question

EQUAL_VARIANCE_SEEDS = 5
FEWEST_DF = 4


def judge(delta: float, p: float, width_90: float, smallest_effect: float, *, higher_is_better: bool) -> VerdictWord:
    """better/worse when p ≤ .05; tied when the 90 % interval lies inside ± smallest_effect (Schuirmann 1987,
    two one-sided tests at 5 %); otherwise underpowered."""
    if p <= LEVEL:
        return "better" if (delta > 0) == higher_is_better else "worse"
    return "tied" if abs(delta) + width_90 < smallest_effect else "underpowered"


def conclude(estimate: Estimate, p_holm: float | None, family_size: int) -> Comparison:
    """The comparison with its verdict. p_holm: corrected p, None where the family is not corrected."""
    question, measured, delta = estimate.question, estimate.outcome, estimate.delta
    if isinstance(measured, Refusal):
        return _refused(estimate, measured)
    p = measured.p if p_holm is None else p_holm
    word = judge(
        delta,
        p,
        measured.width_90,
        question.smallest_effect,
        higher_is_better=question.higher_is_better,
    )
    plan = _plan(measured, estimate) if word == "underpowered" else Plan(None, None)
    return Comparison(
        **_head(estimate),
        verdict=word,
        reason=_reason(word, estimate, measured, p_holm, family_size, plan),
        interval=_interval(delta, measured.width),
        interval_90=_interval(delta, measured.width_90),
        own_interval=_interval(delta, measured.own_width) if _shows_own(estimate.counts, measured) else None,
        half_width=measured.width,
        half_widths=measured.widths,
        p=measured.p,
        p_holm=p_holm,
        df=measured.df,
        seed_sd=measured.seed_sd,
        smallest_detectable_effect=measured.detectable,
        more_seeds=plan.more_seeds,
        more_items=plan.more_items,
        notes=tuple(_notes(word, estimate, measured, plan)),
    )


def _plan(measured: Measured, estimate: Estimate) -> Plan:
    """What would settle it, in seeds and in items."""
    plan = plan_more(measured.precision, estimate.question.smallest_effect)
    return replace(plan, more_items=estimate.counts.items_for(plan.more_items))


def _refused(estimate: Estimate, refusal: Refusal) -> Comparison:
    return Comparison(
        **_head(estimate),
        verdict=refusal.verdict,
        reason=refusal.reason,
        more_seeds=refusal.more_seeds,
        more_items=refusal.more_items,
        notes=tuple(_dropped_notes(estimate.counts)),
    )


def _head(estimate: Estimate) -> dict[str, Any]:
    question, counts, means = estimate.question, estimate.counts, estimate.means
    return {
        "arm": question.arm,
        "versus": question.versus,
        "benchmark": question.benchmark,
        "family": question.family,
        "higher_is_better": question.higher_is_better,
        "proportion": question.proportion,
        "smallest_effect": question.smallest_effect,
        "mean": means[0] if means else None,
        "versus_mean": means[1] if means else None,
        "delta": estimate.delta if means else None,
        **vars(counts),
    }


def _interval(delta: float, width: float | None) -> Interval | None:
    return None if width is None else (delta - width, delta + width)


def _reason(
    word: VerdictWord, estimate: Estimate, measured: Measured, p_holm: float | None, family_size: int, plan: Plan
) -> str:
    question = estimate.question
    effect = sentences.effect(question, estimate.counts, estimate.delta, measured.width)
    pair = f"{question.arm} and {question.versus}"
    if word in ("better", "worse"):
        corrected = f", corrected for {family_size} comparisons" if p_holm is not None and family_size > 1 else ""
        p = sentences.p_text(measured.p if p_holm is None else p_holm)
        return f"{question.arm} is {word} than {question.versus}: {effect}, {p}{corrected}."
    if word == "tied":
        size = amount(question.smallest_effect, proportion=question.proportion)
        within = f"the 90 % interval lies within ±{size}{sentences.unit(proportion=question.proportion)}"
        return f"{pair} are tied: {effect}; {within}, the smallest effect of interest."
    opening = f"No verdict yet: {question.arm} against {question.versus} {effect}"
    if measured.p <= LEVEL:
        opening += f", but not after correction for {family_size} comparisons"
    detectable = amount(measured.detectable, proportion=question.proportion)
    points = sentences.unit(proportion=question.proportion)
    settle = sentences.settle(question, plan.more_seeds, plan.more_items)
    return f"{opening}. Effects under {detectable}{points} would often be missed. {settle}"


def _shows_own(counts: Counts, measured: Measured) -> bool:
    """Below five seeds the interval from the arms' own variances is printed beside the pooled one."""
    fewest = min((each for each in (counts.seeds, counts.versus_seeds) if each), default=EQUAL_VARIANCE_SEEDS)
    return measured.own_width is not None and fewest < EQUAL_VARIANCE_SEEDS


def _notes(word: VerdictWord, estimate: Estimate, measured: Measured, plan: Plan) -> list[str]:
    question, precision = estimate.question, measured.precision
    notes = _dropped_notes(estimate.counts)
    noise_free = measured.width == 0
    conditions = [
        (question.family == "exploratory", sentences.EXPLORATORY),
        (question.looks > 1, sentences.looks(question.look, question.looks)),
        (measured.df is None, sentences.NOT_ABOUT_DATA),
        (measured.borrowed, sentences.BORROWED),
        (bool(precision.gated.any()), sentences.gated(EQUAL_VARIANCE_SEEDS - _fewest_gated(precision))),
        (measured.df is not None and measured.df < FEWEST_DF, sentences.few_df(measured.df or 0)),
        (_depends_on_pooling(estimate, measured), sentences.EQUAL_VARIANCE),
        (noise_free, sentences.NO_VARIATION),
        (measured.same_seeds, sentences.SAME_SEEDS),
        (_small(word, estimate.delta, question), sentences.SMALLER_THAN_INTEREST),
        (bool(plan.more_seeds) and question.looks == 1, sentences.DECIDE_ONCE),
    ]
    return notes + [sentence for applies, sentence in conditions if applies]


def _fewest_gated(precision: Precision) -> int:
    """The fewest seeds of an arm that the gate holds apart; 0 where it holds none."""
    return int(precision.terms.seeds[precision.gated].min()) if precision.gated.any() else 0


def _dropped_notes(counts: Counts) -> list[str]:
    return [sentences.dropped(counts.n_dropped, counts.n_items)] if counts.n_dropped else []


def _small(word: VerdictWord, delta: float, question: Question) -> bool:
    return word in ("better", "worse") and abs(delta) < question.smallest_effect


def _depends_on_pooling(estimate: Estimate, measured: Measured) -> bool:
    """Whether the uncorrected verdict with the arms' own variances is another one."""
    if measured.own_width is None or measured.own_width_90 is None or not _shows_own(estimate.counts, measured):
        return False
    delta, size = estimate.delta, estimate.question.smallest_effect

    def outcome(width: float, width_90: float) -> str:
        if abs(delta) > width:
            return "differs"
        return "tied" if abs(delta) + width_90 < size else "open"

    return outcome(measured.width, measured.width_90) != outcome(measured.own_width, measured.own_width_90)

"""The plain sentences of a comparison: why there is no number, what a verdict rests on, what to watch.

Only wording and number formatting; nothing here decides.
"""

from __future__ import annotations

from assay_reporter.amounts import amount
from assay_reporter.statistics.looks import level_at
from assay_reporter.statistics.question import Counts, Question


def unit(*, proportion: bool) -> str:
    """What follows an amount."""
    return " points" if proportion else ""


def count(number: int, noun: str) -> str:
    """A number and its noun, in the singular or the plural."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def p_text(p: float) -> str:
    """A p-value to two digits."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def no_scores(arm: str, benchmark: str) -> str:
    """An arm without a score."""
    return f"{arm} has no scores on {benchmark}: its training or its evaluation did not produce any."


def cancelled(arms: list[str], benchmark: str) -> str:
    """Arms that a person stopped before they had a score."""
    were = "was cancelled before it was" if len(arms) == 1 else "were cancelled before they were"
    return f"No verdict: {' and '.join(arms)} {were} evaluated on {benchmark}; nothing is known of the data from that."


def empty_seed(arm: str, row: int, seeds: int, benchmark: str) -> str:
    """A replicate without a score; leaving it out would flatter the arm."""
    return (
        f"Replicate {row} of {seeds} of {arm} has no scored item on {benchmark}: "
        "a run that collapsed is reported, not left out."
    )


def no_complete_item(arm: str, benchmark: str) -> str:
    """Every item failed in some seed."""
    return f"No item of {benchmark} was scored in every seed of {arm}, so no comparison is fair."


def no_shared_item(arm: str, versus: str, benchmark: str) -> str:
    """Disjoint arms."""
    return f"{arm} and {versus} share no scored item of {benchmark}, so there is nothing to compare."


def unbounded_scores(arm: str, versus: str, benchmark: str) -> str:
    """Infinite or absurd scores."""
    return (
        f"{arm} or {versus} has an infinite or absurdly large score on {benchmark}: its mean says nothing. "
        "Look at the responses of the worst items."
    )


def few_differing(question: Question, counts: Counts, fewest: int, wanted: int | None) -> str:
    """The rule of ten."""
    differing = counts.n_differing
    more = f" About {count(wanted, 'more item')} would give {fewest} that differ." if wanted else ""
    if not differing:
        more = " Items that are harder, or easier, may tell them apart."
    return (
        f"{question.arm} and {question.versus} differ on {differing} of {_observations(counts)}; with fewer than "
        f"{fewest} no interval can be trusted, so there is no verdict.{more}"
    )


def one_seed(question: Question, delta: float, width: float, flip: float) -> str:
    """No replicate anywhere: about these checkpoints, not about the data."""
    points = unit(proportion=question.proportion)
    low, high, by = (
        amount(value, proportion=question.proportion, signed=True) for value in (delta - width, delta + width, delta)
    )
    opening = "One seed, so no verdict about the data."
    between = f"{by}{points} (item-paired 95 % interval {low} to {high})"
    if flip > 0:
        sd = amount(flip, proportion=question.proportion)
        return (
            f"{opening} These two checkpoints differ by {between}; as a statement about the data that would not "
            f"stand if the seed sd were above {sd}{points}. Two more seeds of any arm would tell."
        )
    return f"{opening} Even these two checkpoints cannot be told apart: {between}."


def effect(question: Question, counts: Counts, delta: float, width: float) -> str:
    """Effect, interval and n: what every verdict's sentence holds."""
    low, high, by = (
        amount(value, proportion=question.proportion, signed=True) for value in (delta - width, delta + width, delta)
    )
    return (
        f"{by}{unit(proportion=question.proportion)} (95 % interval {low} to {high}; "
        f"{seeds_text(counts)}, {items_text(counts)})"
    )


def items_text(counts: Counts) -> str:
    """How many items, and in how many clusters where some hang together."""
    clusters = f" in {count(counts.n_observations, 'cluster')}" if counts.clustered else ""
    return f"{count(counts.n_items, 'item')}{clusters}"


def _observations(counts: Counts) -> str:
    return count(counts.n_observations, "cluster" if counts.clustered else "item")


def seeds_text(counts: Counts) -> str:
    """Seeds behind a comparison; both numbers where they differ."""
    trained = sorted({each for each in (counts.seeds, counts.versus_seeds) if each})
    if not trained:
        return "two fixed models"
    return " and ".join(str(each) for each in trained) + (" seed" if trained == [1] else " seeds")


def settle(question: Question, more_seeds: int | None, more_items: int | None) -> str:
    """What would make the interval as narrow as the smallest effect of interest."""
    size = amount(question.smallest_effect, proportion=question.proportion)
    target = f"±{size}{unit(proportion=question.proportion)}"
    if more_seeds == 0 and more_items == 0:
        return f"The interval is already within {target} of the estimate; the effect lies at the edge of what matters."
    if more_seeds is None or more_items is None:
        return f"No number of seeds or items within reach would bring the interval to {target}."
    parts = []
    if more_seeds:
        parts.append(f"{count(more_seeds, 'more seed')} for each arm")
    if more_items:
        parts.append(f"{count(more_items, 'more item')}")
    limit = "" if more_seeds else "; the items are the limit, not the seeds"
    return f"To bring the interval to {target}: {' and '.join(parts)}{limit}."


DECIDE_ONCE = "Add seeds once, to the planned number: looking again after each would give false verdicts."
EQUAL_VARIANCE = "Relies on equal seed variance: with the arms' own variances the conclusion would differ."
BORROWED = "An arm with one seed takes its seed variance from the other arms: relies on equal seed variance."
NO_VARIATION = "No score varied over items or seeds, so the interval has no width."
SAME_SEEDS = "The seeds gave the same scores item for item: check that the seed reaches training."
SMALLER_THAN_INTEREST = "The effect is there, but smaller than the smallest effect of interest."
EXPLORATORY = "Exploratory: not corrected for the number of comparisons."
NOT_ABOUT_DATA = "Two fixed models: about these models, not about data."


def looks(look: int, count: int) -> str:
    """That interval and p hold however often it is looked."""
    return (
        f"One of at most {count} declared looks: interval and p hold for all of them together (this one is judged at "
        f"{100 * level_at(0.05, look, count):.2g} % of its own)."
    )


def gated(more_seeds: int) -> str:
    """An arm held apart from the pooled seed variance, and the seeds that its own takes."""
    advice = f" Give {count(more_seeds, 'more seed')}: they tell how far that is." if more_seeds > 0 else ""
    return (
        "An arm's seeds vary more than the other arms', on this benchmark or over all: "
        f"it can be trusted as far as its own seeds agree.{advice}"
    )


def few_df(nu: float) -> str:
    """Valid, but nearly powerless."""
    return (
        f"Only {nu:.0f} degrees of freedom for the seed noise: valid, but nearly powerless. "
        "Three seeds and four degrees of freedom are the least to plan for."
    )


def dropped(n_dropped: int, n_items: int) -> str:
    """Items left out of the join."""
    return (
        f"{count(n_dropped, 'item')} of {n_dropped + n_items:,} left out: missing or failed in an arm or a seed. "
        "A missing item is not a right or a wrong one."
    )

"""What to try next: each step a sentence with the command or the change that takes it.

Pure functions of verdicts and ends; how many seeds or items would do is worked out with the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay_schemas.differences import enumerated
from assay_schemas.experiments import CONTROL
from assay_schemas.reports import Verdict

from assay_reporter.budget import look_at
from assay_reporter.conclusion import one_seed
from assay_reporter.evidence import Evidence
from assay_reporter.statistics.sentences import count

MOST_OPEN = 4


def next_steps(evidence: Evidence, verdicts: Sequence[Verdict], flags: Sequence[str]) -> list[str]:
    """What would teach most next, most pressing first."""
    primary = [one for one in verdicts if one.family == "primary"]
    steps = list(flags)
    if evidence.result.outcome in ("partial", "failed"):
        steps.append(_ask_again(evidence))
    elif evidence.result.outcome == "cancelled":
        identity = evidence.plan.experiment_id[:8]
        steps.append(f"To have it ended after all: `assay retry {identity}` reuses all that was finished.")
    decided = look_at(evidence.plan, verdicts, evidence.result.outcome)
    if decided is not None and decided.next is not None:
        steps.append(f"Wait for the next look: `assay watch {decided.next[:8]}` (look {decided.look + 1}).")
    else:
        steps += _settling(primary)
    changed = next((one for one in primary if one.verdict == "worse"), None)
    changed = changed or next((one for one in primary if one.verdict == "better"), None)
    if changed is not None:
        command = f"assay responses {evidence.plan.experiment_id[:8]} --benchmark {changed.benchmark} --flips"
        steps.append(f"Read the responses that changed: `{command}`.")
    if not evidence.plan.spec.placebo:
        steps.append("Add `placebo: true`: an arm with the same data shows how large differences by chance are.")
    if not any(one.versus == CONTROL for one in verdicts):
        steps.append("Control has no result; without it nothing can be called better or worse.")
    return [step for step in steps if step]


def _ask_again(evidence: Evidence) -> str:
    """Where a failure may pass, to ask for the same; where none may, the same would only fail once more."""
    errors = [end.error for end in evidence.result.ends if end.outcome == "failed"]
    if errors and not any(one is None or one.retryable for one in errors):
        return "Mend what What is missing names and submit again: asked for as it is, it would fail once more."
    identity = evidence.plan.experiment_id[:8]
    return f"Ask again for what is missing: `assay retry {identity}` reuses all that succeeded."


def _settling(primary: Sequence[Verdict]) -> Iterator[str]:
    """What would settle the open verdicts, those that need least first; of very many the first ones."""
    open_ = [one for one in primary if one.verdict == "underpowered" and (one.more_seeds or one.more_items)]
    if one_seed(primary):
        yield "Give each arm three seeds (`seeds: 3`): with one, nothing can be said about its data."
        open_ = [one for one in open_ if one.more_items]
    open_.sort(key=lambda one: (one.more_seeds or 0, one.more_items or 0))
    arms: dict[tuple[str, str, bool], list[Verdict]] = {}
    for one in open_:
        arms.setdefault((one.benchmark, _wanted(one), one.interval is None), []).append(one)
    listed = list(arms.items())
    for (benchmark, wanted, blind), some in listed[:MOST_OPEN]:
        yield _settle(enumerated(one.arm for one in some), benchmark, wanted, blind=blind, several=len(some) > 1)
    if left := sum(len(some) for _, some in listed[MOST_OPEN:]):
        yield f"{left} more verdicts are open: Comparisons says what each needs."


def _wanted(verdict: Verdict) -> str:
    """`about 3 more seeds for each arm and 900 more items`."""
    wanted = []
    if verdict.more_seeds:
        wanted.append(f"{count(verdict.more_seeds, 'more seed')} for each arm")
    if verdict.more_items:
        wanted.append(count(verdict.more_items, "more item"))
    return f"about {' and '.join(wanted)}"


def _settle(arms: str, benchmark: str, wanted: str, *, blind: bool, several: bool) -> str:
    """`blind`: there is no interval yet, so that nobody knows whether that would settle anything."""
    if blind:
        return f"{arms} on {benchmark} {'need' if several else 'needs'} {wanted} for an interval that can be trusted."
    return f"{arms} on {benchmark} would be settled by {wanted}."

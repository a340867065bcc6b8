"""The answer in a sentence, and what that sentence leaves open: arms against each other, the placebo.

Pure functions of verdicts and ends; no number is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assay_schemas.differences import difference, enumerated, interval
from assay_schemas.experiments import CONTROL, PLACEBO
from assay_schemas.reports import Verdict, VerdictWord

from assay_reporter.evidence import Evidence
from assay_reporter.unfinished import unfinished

MOST_PAIRS = 4
MOST_NAMED = 3
"""More benchmarks than this with the same word are counted, so that the answer stays a sentence."""
ONE_SEED = "One seed for each arm gives no verdict about data."
PHRASES: dict[VerdictWord, str] = {
    "better": "better than control",
    "worse": "worse than control",
    "tied": "tied with control",
    "underpowered": "not resolved yet",
    "broken": "broken",
}


def conclusion(evidence: Evidence, verdicts: Sequence[Verdict], flags: Sequence[str]) -> str:
    """The answer in a sentence: every arm against control, benchmark by benchmark."""
    primary = [one for one in verdicts if one.family == "primary"]
    if evidence.result.outcome == "cancelled":
        return "The experiment was cancelled before it ended; only what was finished is judged."
    if not primary or all(one.delta is None for one in primary):
        return _no_verdict(evidence, primary)
    arms = [arm.name for arm in evidence.plan.arms if arm.role == "arm"]
    said: dict[str, list[str]] = {}
    for arm in arms:
        said.setdefault(_of_an_arm([one for one in primary if one.arm == arm]), []).append(arm)
    parts = [
        f"{enumerated(names)} {'is' if len(names) == 1 else 'are'} {words}" for words, names in said.items() if words
    ]
    alone = f" {ONE_SEED}" if one_seed(primary) else ""
    warning = " The placebo check failed: read this with suspicion." if flags else ""
    return "; ".join(parts).rstrip(".") + "." + alone + warning


def one_seed(primary: Sequence[Verdict]) -> bool:
    """Whether no arm was trained more than once, so that nothing can be said about any data."""
    return {one.seeds for one in primary} == {1}


def _no_verdict(evidence: Evidence, primary: Sequence[Verdict]) -> str:
    """Why nothing could be compared: what did not finish, else what stands against the comparisons themselves."""
    reasons = list(dict.fromkeys(one.reason.rstrip(".") for one in primary))
    if unfinished(evidence) or not reasons:
        return f"No verdict: no arm could be compared with control. {_what_failed(evidence)}See What is missing."
    return f"No verdict: {reasons[0]}." + (" See Comparisons for the other reasons." if len(reasons) > 1 else "")


def _what_failed(evidence: Evidence) -> str:
    """`4 of 4 trainings failed (diverged). `, for those who read the sentence alone; nothing where nothing failed."""
    said = []
    for kind, words in (("training", "trainings"), ("selection", "selections"), ("eval", "evaluations")):
        ends = [end for end in evidence.result.ends if end.kind == kind]
        errors = [end.error for end in ends if end.outcome == "failed"]
        classes = dict.fromkeys(one.class_.replace("_", " ") for one in errors if one is not None)
        if errors:
            why = f" ({', '.join(classes)})" if classes else ""
            said.append(f"{len(errors)} of {len(ends)} {words} failed{why}. ")
    return "".join(said)


def _of_an_arm(verdicts: Sequence[Verdict]) -> str:
    """`better than control on numeric (+21.3 points) and tied with control on perplexity`."""
    groups = {word: [one for one in verdicts if one.verdict == word] for word in PHRASES}
    return enumerated([f"{PHRASES[word]} on {_where(group, len(verdicts))}" for word, group in groups.items() if group])


def _where(group: Sequence[Verdict], of: int) -> str:
    """The benchmarks with what was found there; of very many their number, and where the difference is the clearest."""
    if len(group) <= MOST_NAMED:
        return enumerated([f"{one.benchmark}{_size(one)}" for one in group])
    count = f"all {of} benchmarks" if len(group) == of else f"{len(group)} of {of} benchmarks"
    clearest = min(group, key=lambda one: 1.0 if one.p is None else one.p)
    size = _size(clearest)
    return f"{count} (most clearly {clearest.benchmark}, {size[2:]}" if size else count


def _size(verdict: Verdict) -> str:
    if verdict.delta is None or verdict.verdict not in ("better", "worse"):
        return ""
    return f" ({difference(verdict)})"


def answers(verdicts: Sequence[Verdict]) -> list[str]:
    """What the sentence against control leaves open: which arm is better than which, and what the placebo says."""
    return [*_between_arms(verdicts), *_placebo(verdicts)]


def _between_arms(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Pairs of arms that differ, with all benchmarks on which the first is better."""
    found: dict[tuple[str, str], list[Verdict]] = {}
    for one in verdicts:
        if one.verdict in ("better", "worse") and not {CONTROL, PLACEBO} & {one.arm, one.versus}:
            ahead = one if one.verdict == "better" else _turned(one)
            found.setdefault((ahead.arm, ahead.versus), []).append(ahead)
    for (better, other), ahead_on in list(found.items())[:MOST_PAIRS]:
        listed = [f"{one.benchmark} ({difference(one)}, 95 % interval {interval(one)})" for one in ahead_on]
        more = [f"{len(listed) - MOST_NAMED} more benchmarks"] if len(listed) > MOST_NAMED + 1 else []
        where = enumerated([*(listed[:MOST_NAMED] if more else listed), *more])
        yield f"Between arms: {better} is better than {other} on {where}" + (
            "." if len(found) > 1 else "; not corrected for their number."
        )
    if len(found) > MOST_PAIRS:
        yield f"Between arms: {len(found) - MOST_PAIRS} more pairs differ, see Comparisons."
    if len(found) > 1:
        yield "Differences between arms are not corrected for their number."


def _turned(one: Verdict) -> Verdict:
    """The same comparison seen from the other arm."""
    low, high = one.interval or (0.0, 0.0)
    turned = {"arm": one.versus, "versus": one.arm, "mean": one.versus_mean, "versus_mean": one.mean}
    return one.model_copy(update={**turned, "delta": -(one.delta or 0.0), "interval": (-high, -low)})


def _placebo(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """The experiment's check on itself: how far apart two arms with the same data come out."""
    checks = [one for one in verdicts if one.family == "check" and one.delta is not None]
    if not checks:
        return
    first = checks[0].versus
    apart = enumerated([f"{difference(one)} on {one.benchmark}{_limits(one)}" for one in checks])
    yield (
        f"Placebo check: trained on {first}'s data with other seeds, it differs from {first} by {apart}: "
        f"{_of_the_check(checks)}."
    )


def _limits(verdict: Verdict) -> str:
    """The interval in brackets; nothing where none can be trusted."""
    return f" ({interval(verdict)})" if verdict.interval is not None else ""


def _of_the_check(checks: Sequence[Verdict]) -> str:
    failed, tied = (
        [one.benchmark for one in checks if one.verdict in words] for words in (("better", "worse"), ("tied",))
    )
    if failed:
        return f"a difference on {enumerated(failed)} that should not be there"
    if not tied:
        return "no verdict, as it should be"
    everywhere = len(tied) == len(checks)
    return f"tied{'' if everywhere else f' on {enumerated(tied)}, no verdict on the rest'}, as it should be"

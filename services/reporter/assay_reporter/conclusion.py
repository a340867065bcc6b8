"""The words around the verdicts: the answer in a sentence, what is missing, and what to try next.

Pure functions of verdicts and ends; no number is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from assay_schemas.differences import difference, interval
from assay_schemas.experiments import CONTROL, PLACEBO
from assay_schemas.reports import Verdict, VerdictWord
from assay_schemas.results import JobEnd, PlannedReplicate

from assay_reporter.budget import look_at
from assay_reporter.evidence import Evidence
from assay_reporter.statistics.sentences import count

MOST_PAIRS = MOST_OPEN = 4
MOST_NAMED = 3
"""More benchmarks than this with the same word are counted, so that the answer stays a sentence."""
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
    parts = [f"{_joined(names)} {'is' if len(names) == 1 else 'are'} {words}" for words, names in said.items() if words]
    warning = " The placebo check failed: read this with suspicion." if flags else ""
    return "; ".join(parts).rstrip(".") + "." + warning


def _no_verdict(evidence: Evidence, primary: Sequence[Verdict]) -> str:
    """Why nothing could be compared: what did not finish, else what stands against the comparisons themselves."""
    reasons = list(dict.fromkeys(one.reason.rstrip(".") for one in primary))
    if missing(evidence) or not reasons:
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
    return _joined([f"{PHRASES[word]} on {_where(group, len(verdicts))}" for word, group in groups.items() if group])


def _where(group: Sequence[Verdict], of: int) -> str:
    """The benchmarks with what was found there; of very many their number, and where the difference is the clearest."""
    if len(group) <= MOST_NAMED:
        return _joined([f"{one.benchmark}{_size(one)}" for one in group])
    count = f"all {of} benchmarks" if len(group) == of else f"{len(group)} of {of} benchmarks"
    clearest = min(group, key=lambda one: 1.0 if one.p is None else one.p)
    size = _size(clearest)
    return f"{count} (most clearly {clearest.benchmark}, {size[2:]}" if size else count


def _size(verdict: Verdict) -> str:
    if verdict.delta is None or verdict.verdict not in ("better", "worse"):
        return ""
    return f" ({difference(verdict)})"


def _joined(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


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
        where = _joined([*(listed[:MOST_NAMED] if more else listed), *more])
        yield f"Between arms: {better} is better than {other} on {where}; not corrected for their number."
    if len(found) > MOST_PAIRS:
        yield f"Between arms: {len(found) - MOST_PAIRS} more pairs differ, see Comparisons."


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
    apart = _joined([f"{difference(one)} on {one.benchmark}{_limits(one)}" for one in checks])
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
        return f"a difference on {_joined(failed)} that should not be there"
    if not tied:
        return "no verdict, as it should be"
    everywhere = len(tied) == len(checks)
    return f"tied{'' if everywhere else f' on {_joined(tied)}, no verdict on the rest'}, as it should be"


def missing(evidence: Evidence) -> list[str]:
    """A sentence for everything that did not finish, with its reason."""
    ends = {end.key: end for end in evidence.result.ends}
    sentences = []
    for replicate in evidence.plan.replicates:
        for what, end in _unfinished(replicate, ends):
            sentences.append(f"{_who(replicate)}: {what} {_why(end)}")
    return sentences


def _unfinished(replicate: PlannedReplicate, ends: dict[str, JobEnd]) -> Iterable[tuple[str, JobEnd]]:
    """The first step of a replicate that did not succeed; what merely depended on it is not listed again."""
    for what, key in (("training", replicate.training), ("checkpoint selection", replicate.selection)):
        end = ends.get(key or "")
        if end is not None and end.outcome != "succeeded":
            yield what, end
            return
    for benchmark, key in replicate.evals.items():
        end = ends.get(key)
        if end is not None and end.outcome != "succeeded":
            yield f"evaluation on {benchmark}", end


def _who(replicate: PlannedReplicate) -> str:
    return replicate.arm if replicate.seed is None else f"{replicate.arm}, seed {replicate.seed}"


def _why(end: JobEnd) -> str:
    if end.error is None:
        return f"was {end.outcome}."
    attempts = f" after {end.attempt} attempts" if (end.attempt or 1) > 1 else ""
    return f"{end.outcome}{attempts} ({end.error.class_}): {end.error.message}"


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
    open_.sort(key=lambda one: (one.more_seeds or 0, one.more_items or 0))
    yield from map(_settle, open_[:MOST_OPEN])
    if len(open_) > MOST_OPEN:
        yield f"{len(open_) - MOST_OPEN} more verdicts are open: Comparisons says what each needs."


def _settle(verdict: Verdict) -> str:
    wanted = []
    if verdict.more_seeds:
        wanted.append(f"{count(verdict.more_seeds, 'more seed')} for each arm")
    if verdict.more_items:
        wanted.append(count(verdict.more_items, "more item"))
    return f"{verdict.arm} on {verdict.benchmark} would be settled by about {' and '.join(wanted)}."

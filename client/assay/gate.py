"""Applies a policy to an experiment's verdicts: pass, block, or inconclusive, with a sentence for each check.

Pure: takes verdicts from a report or from `report.published`. What is not known never passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from assay_schemas.differences import in_points, signed, three_digits
from assay_schemas.envelope import Event
from assay_schemas.events import GateDecided
from assay_schemas.ids import event_id
from assay_schemas.reports import Verdict
from assay_schemas.topics import TOPICS
from pydantic import BaseModel, ConfigDict

from assay.errors import Refused
from assay.policy import Kind, Policy, Rule, benchmarks_of, matching, misfits

Outcome = Literal["pass", "block", "inconclusive"]
MOST_REASONS = 50


class Check(BaseModel):
    """One rule applied to one arm on one benchmark."""

    model_config = ConfigDict(frozen=True)

    rule: Kind
    arm: str
    versus: str
    benchmark: str
    by: float | None
    confidence: float
    outcome: Outcome
    reason: str


class Decision(BaseModel):
    """What the policy says of an experiment: `block` when any check blocks, `pass` when all pass."""

    model_config = ConfigDict(frozen=True)

    experiment_id: str
    decision: Outcome
    policy: str
    reasons: list[str]
    checks: list[Check]

    def event(self, source: str, now: datetime) -> Event:
        """`gate.decided`: the same decision of the same policy is the same event."""
        topic, key = TOPICS["gate.decided"], self.experiment_id
        body = GateDecided(
            experiment_id=key, decision=self.decision, policy=self.policy, reasons=self.reasons[:MOST_REASONS]
        )
        return Event(
            id=event_id(topic.name, key, self.policy, self.decision),
            source=source,
            type=topic.name,
            time=now,
            data=body.model_dump(mode="json"),
            key=key,
            subject=key,
            dataschema=topic.dataschema,
            correlationid=key,
        )


def decide(policy: Policy, experiment_id: str, verdicts: Sequence[Verdict]) -> Decision:
    """Applies every rule to every arm. Raises Refused when the policy does not fit the experiment.

    A failed placebo check makes the decision inconclusive whatever the rules say: the experiment then finds
    differences where there are none.
    """
    if not verdicts:
        reason = "The experiment has no verdict at all; see what is missing in its report."
        return Decision(
            experiment_id=experiment_id, decision="inconclusive", policy=policy.digest, reasons=[reason], checks=[]
        )
    if problems := misfits(policy, verdicts):
        raise Refused(problems, "policy")
    checks = [
        _check(kind, rule, arm, policy.against, benchmark, verdicts)
        for kind, _, rule in policy.rules()
        for benchmark in matching(rule, benchmarks_of(verdicts))
        for arm in policy.judged_arms(verdicts)
    ]
    alarms = [f"The placebo check failed on {one.benchmark}: {one.reason}" for one in verdicts if _alarms(one)]
    decision = "inconclusive" if alarms else _overall(check.outcome for check in checks)
    told = [check.reason for check in checks if alarms or check.outcome == decision]
    return Decision(
        experiment_id=experiment_id,
        decision=decision,
        policy=policy.digest,
        reasons=[*alarms, *dict.fromkeys(told)] or ["No arm was there to be judged."],
        checks=checks,
    )


def _alarms(verdict: Verdict) -> bool:
    return verdict.family == "check" and verdict.verdict in ("better", "worse")


def _overall(outcomes: Iterable[Outcome]) -> Outcome:
    found = set(outcomes)
    if "block" in found:
        return "block"
    return "pass" if found == {"pass"} else "inconclusive"


def _check(kind: Kind, rule: Rule, arm: str, versus: str, benchmark: str, verdicts: Sequence[Verdict]) -> Check:
    outcome, reason = _judged(kind, rule, arm, versus, benchmark, verdicts)
    return Check(
        rule=kind,
        arm=arm,
        versus=versus,
        benchmark=benchmark,
        by=rule.by,
        confidence=rule.confidence,
        outcome=outcome,
        reason=reason,
    )


def _judged(
    kind: Kind, rule: Rule, arm: str, versus: str, benchmark: str, verdicts: Sequence[Verdict]
) -> tuple[Outcome, str]:
    """`rise` has the metric's direction and the order of the arms in it: above 0 is better."""
    found = next(
        (one for one in verdicts if one.benchmark == benchmark and {one.arm, one.versus} == {arm, versus}), None
    )
    if found is None:
        return "inconclusive", f"{arm} was not compared with {versus} on {benchmark}."
    width = found.half_widths.get(rule.confidence)
    if found.delta is None or width is None or found.verdict == "broken":
        return "inconclusive", f"{arm} on {benchmark}: {found.reason}"
    rise = found.delta * (1 if found.higher_is_better else -1) * (1 if found.arm == arm else -1)
    smallest = found.smallest_effect or 0.0
    if kind == "must_not_fall":
        allowed = smallest if rule.by is None else rule.by
        outcome = _side(rise, width, passes_above=-allowed, blocks_below=-allowed)
        demand = f"a fall of at most {_amount(found, allowed)} is allowed"
    else:
        wanted = rule.by or 0.0
        outcome = _side(rise, width, passes_above=wanted, blocks_below=max(wanted, smallest))
        demand = f"a rise of more than {_amount(found, wanted)} is demanded" if wanted else "a rise is demanded"
    bounds = f"between {_signed(found, rise - width)} and {_signed(found, rise + width)}"
    sure = f"each bound with {100 * rule.confidence:g} % confidence"
    # Falls and rises are of quality: where lower is better, the sign is turned.
    sure += "" if found.higher_is_better else "; + is an improvement"
    return outcome, f"{arm} against {versus} on {benchmark}: {_signed(found, rise)}, {bounds} ({sure}); {demand}."


def _side(rise: float, width: float, *, passes_above: float, blocks_below: float) -> Outcome:
    """A rise that is surely no larger than what matters blocks too; what is neither sure is inconclusive."""
    if rise - width > passes_above:
        return "pass"
    return "block" if rise + width < blocks_below else "inconclusive"


def _signed(verdict: Verdict, value: float) -> str:
    return f"{signed(verdict, value)} {'points' if in_points(verdict) else _unit(verdict)}"


def _amount(verdict: Verdict, value: float) -> str:
    return f"{100 * value:.1f} points" if in_points(verdict) else f"{three_digits(value)} {_unit(verdict)}"


def _unit(verdict: Verdict) -> str:
    return verdict.metric.replace("_", " ")

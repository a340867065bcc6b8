"""A gate's policy: which benchmarks may not fall, which must rise, by how much and how surely.

Reads and checks the policy; never looks at a verdict's numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from assay_schemas.canonical import canonical_json, sha256_hex
from assay_schemas.differences import in_points
from assay_schemas.experiments import CONTROL, PLACEBO
from assay_schemas.problems import WHOLE_DOCUMENT, Problem, every_problem, nearest, pruned
from assay_schemas.reports import CONFIDENCES, Verdict
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from assay.errors import Refused

Kind = Literal["must_not_fall", "must_rise"]
KINDS: tuple[Kind, ...] = ("must_not_fall", "must_rise")


class PolicyModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(PolicyModel):
    """One demand: `benchmark` is a name or a pattern; `by` is in the metric's own unit.

    Without `by`, a fall may be as large as the smallest effect of interest, and a rise may be of any size.
    """

    benchmark: Annotated[str, Field(min_length=1)] = "*"
    by: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] | None = None
    confidence: float = 0.95

    @field_validator("confidence")
    @classmethod
    def _published(cls, value: float) -> float:
        if value not in CONFIDENCES:
            raise ValueError(f"verdicts tell their bounds at {', '.join(map(str, CONFIDENCES))}; choose one of them")
        return value


def _named(value: Any) -> Any:
    """A benchmark's name alone stands for a rule with nothing else said."""
    return {"benchmark": value} if isinstance(value, str) else value


RuleOrName = Annotated[Rule, BeforeValidator(_named)]


class Policy(PolicyModel):
    """What an experiment must show: rules for every arm (or those listed) against control (or another arm)."""

    arms: list[str] = Field(default_factory=list, description="all but the placebo where none is listed")
    against: str = CONTROL
    must_not_fall: list[RuleOrName] = Field(default_factory=list)
    must_rise: list[RuleOrName] = Field(default_factory=list)

    @property
    def digest(self) -> str:
        """SHA-256 of the policy with its defaults: equal policies have equal digests."""
        return sha256_hex(canonical_json(self))

    def rules(self) -> list[tuple[Kind, int, Rule]]:
        """Every rule with its kind and its place in that kind's list."""
        return [(kind, place, rule) for kind in KINDS for place, rule in enumerate(getattr(self, kind))]

    def judged_arms(self, verdicts: Iterable[Verdict]) -> list[str]:
        return self.arms or [arm for arm in arms_of(verdicts) if arm not in (self.against, PLACEBO, CONTROL)]


def arms_of(verdicts: Iterable[Verdict]) -> list[str]:
    """Every arm that a verdict names, the placebo and control too."""
    return list(dict.fromkeys(name for one in verdicts for name in (one.arm, one.versus)))


def benchmarks_of(verdicts: Iterable[Verdict]) -> list[str]:
    return list(dict.fromkeys(one.benchmark for one in verdicts))


def matching(rule: Rule, benchmarks: Iterable[str]) -> list[str]:
    return [name for name in benchmarks if fnmatchcase(name, rule.benchmark)]


def read_policy(document: Any, verdicts: Sequence[Verdict] = ()) -> Policy:
    """The policy in a document. Raises Refused with every problem that can be seen, also those that only show against
    an experiment's `verdicts` where they are given."""
    if not isinstance(document, Mapping):
        raise Refused([Problem(field=WHOLE_DOCUMENT, message="must be a mapping of keys.")], "policy")
    problems: list[Problem] = []
    if not any(document.get(kind) for kind in KINDS):
        mend = "List benchmarks under must_not_fall or must_rise; '*' stands for all."
        problems.append(Problem(field=WHOLE_DOCUMENT, message="has no rule.", mend=mend))
    problems += _never_provable(document.get("must_not_fall"))
    problems += every_problem(Policy, document)
    known = {one.field for one in problems}
    readable = _as_far_as_readable(document)
    problems += [one for one in (misfits(readable, verdicts) if verdicts else []) if one.field not in known]
    if problems:
        raise Refused(problems, "policy")
    return readable


def _as_far_as_readable(document: Mapping[str, Any]) -> Policy:
    """The policy without what is wrong in it: a wrong part of a rule is left out, else the whole key."""
    left: Any = dict(document)
    while problems := every_problem(Policy, left):
        fields = [one.field.split(".") for one in problems]
        shorn = left
        for path in fields:
            shorn = pruned(shorn, path)
        if shorn == left:
            heads = {path[0] for path in fields}
            shorn = {key: value for key, value in left.items() if str(key) not in heads}
        left = shorn if shorn != left else {}
    return Policy.model_validate(left)


def _never_provable(rules: Any) -> list[Problem]:
    """A fall of nothing at all cannot be excluded by any experiment, so that such a rule would never pass."""
    mend = "Give the smallest fall that matters, or leave it out for the experiment's smallest effect of interest."
    return [
        Problem(field=f"must_not_fall.{place}.by", message="must be more than 0.", mend=mend)
        for place, rule in enumerate(rules if isinstance(rules, list) else [])
        if isinstance(rule, Mapping) and rule.get("by") == 0
    ]


def misfits(policy: Policy, verdicts: Sequence[Verdict]) -> list[Problem]:
    """What in the policy does not fit this experiment: unknown arms and benchmarks, amounts in another unit."""
    arms, benchmarks = arms_of(verdicts), benchmarks_of(verdicts)
    problems = [
        Problem(field=f"arms.{place}", message=f"the experiment has no arm {arm!r}.", mend=nearest(arm, arms))
        for place, arm in enumerate(policy.arms)
        if arm not in arms
    ]
    problems += [
        Problem(field=f"arms.{place}", message=f"{arm!r} is what the arms are held against.", mend="Leave it out.")
        for place, arm in enumerate(policy.arms)
        if arm == policy.against
    ]
    if policy.against not in arms:
        message = f"the experiment has no arm {policy.against!r}."
        problems.append(Problem(field="against", message=message, mend=nearest(policy.against, arms)))
    for kind, place, rule in policy.rules():
        if not matching(rule, benchmarks):
            message = f"no benchmark of the experiment is called {rule.benchmark!r}."
            mend = nearest(rule.benchmark, benchmarks)
            problems.append(Problem(field=f"{kind}.{place}.benchmark", message=message, mend=mend))
        problems += _wrong_unit(f"{kind}.{place}.by", rule, verdicts)
    return problems


def _wrong_unit(field: str, rule: Rule, verdicts: Sequence[Verdict]) -> list[Problem]:
    shares = [one.benchmark for one in verdicts if in_points(one) and matching(rule, [one.benchmark])]
    if rule.by is None or rule.by < 1 or not shares:
        return []
    message = f"{rule.by:g} is more than a share of 1 can change, and scores on {shares[0]} are shares."
    return [Problem(field=field, message=message, mend=f"For {rule.by:g} points write {rule.by / 100:g}.")]

"""Verdicts as data: what a report says of one arm on one benchmark, for people and for automation.

Computed by the reporter; nothing here decides.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from assay_schemas.cost.estimate import CostCheck
from assay_schemas.jobs import Usage

VerdictWord = Literal["better", "worse", "tied", "underpowered", "broken"]
CONFIDENCES = (0.8, 0.9, 0.95, 0.975, 0.99, 0.999)
"""The one-sided confidences at which a verdict tells the difference's bounds, for rules of one's own."""


class Verdict(BaseModel):
    """One arm against another on one benchmark.

    `delta` = arm minus `versus` in the metric's own unit; `better` has the metric's direction in it.
    `family` says whether the comparison was declared (primary, corrected by Holm), exploratory, or the
    placebo's check of the experiment on itself.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    arm: str
    versus: str
    benchmark: str
    metric: str
    higher_is_better: bool = True
    proportion: bool | None = Field(
        default=None, description="scores are shares of 1, read in points; unknown in reports of before"
    )
    verdict: VerdictWord
    reason: str
    family: Literal["primary", "exploratory", "check"] = "primary"
    mean: float | None = None
    versus_mean: float | None = None
    delta: float | None = None
    interval: tuple[float, float] | None = Field(default=None, description="95 %, uncorrected")
    half_widths: dict[float, float] = Field(
        default_factory=dict,
        description="one-sided confidence to width: with it the difference is above delta - width, uncorrected",
    )
    own_interval: tuple[float, float] | None = Field(
        default=None, description="95 %, from the arms' own seed variances; given below five seeds"
    )
    p: float | None = None
    p_corrected: float | None = None
    smallest_effect: float | None = None
    detectable_effect: float | None = None
    items: int = 0
    clusters: int | None = Field(
        default=None, description="how many independent observations the items are, where some hang together"
    )
    items_dropped: int = 0
    seeds: int = 0
    versus_seeds: int = 0
    more_seeds: int | None = None
    more_items: int | None = None
    notes: list[str] = Field(default_factory=list)


class Cell(BaseModel):
    """One arm on one benchmark in the report's table: the mean over seeds of the item means, and its spread.

    `seed_means` holds every replicate's mean, so that no run hides behind the average.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    arm: str
    role: Literal["control", "arm", "placebo", "reference"]
    benchmark: str
    metric: str
    mean: float | None = None
    seed_sd: float | None = None
    seed_means: dict[int, float] = Field(default_factory=dict)
    items: int = 0
    verdict: VerdictWord | None = Field(
        default=None, description="against control; None for control itself, and where `cancelled`"
    )
    cancelled: bool = Field(default=False, description="every run was cancelled before it was evaluated here")


class Finding(BaseModel):
    """One thing that stands out, in a sentence, and the anchor of the section that shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    section: str
    text: str


class ReportDocument(BaseModel):
    """`reports/<experiment id>/report.json`: the verdicts apart from any model text, and the blocks below them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    experiment_id: str
    name: str
    question: str = ""
    owner: str = ""
    outcome: str
    sentence: str
    answers: list[str] = Field(
        default_factory=list, description="how arms compare with each other and what the placebo says, in sentences"
    )
    arms: list[str]
    benchmarks: list[str]
    cells: list[Cell]
    verdicts: list[Verdict]
    missing: list[str] = Field(default_factory=list, description="what did not finish, in sentences")
    findings: list[Finding] = Field(
        default_factory=list, description="what stands out in data, training or responses; empty where nothing does"
    )
    next_steps: list[str] = Field(default_factory=list)
    jobs: int = 0
    reused: int = 0
    usage: Usage = Field(default_factory=Usage)
    unsaid: int = Field(default=0, description="stopped jobs that never told what they took, which is not in `usage`")
    estimates: list[CostCheck] = Field(
        default_factory=list, description="the plan's estimate against what was measured"
    )
    generated_at: AwareDatetime
    sections: list[dict[str, Any]] = Field(default_factory=list, description="title and blocks of each section")

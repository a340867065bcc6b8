"""Verdicts as data: what a report says of one arm on one benchmark, for people and for automation.

Computed by the reporter; nothing here decides.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

VerdictWord = Literal["better", "worse", "tied", "underpowered", "broken"]


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
    verdict: VerdictWord
    reason: str
    family: Literal["primary", "exploratory", "check"] = "primary"
    mean: float | None = None
    versus_mean: float | None = None
    delta: float | None = None
    interval: tuple[float, float] | None = Field(default=None, description="95 %, uncorrected")
    p: float | None = None
    p_corrected: float | None = None
    smallest_effect: float | None = None
    detectable_effect: float | None = None
    items: int = 0
    items_dropped: int = 0
    seeds: int = 0
    versus_seeds: int = 0
    more_seeds: int | None = None
    more_items: int | None = None
    notes: list[str] = Field(default_factory=list)
